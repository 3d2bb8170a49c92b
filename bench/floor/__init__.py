"""What the portal is compared with: the same rows and the same cryptography with no framework at all.

Plain WSGI functions over `MySQLdb` or `sqlite3`, behind the same gunicorn. It has no languages, limits, logs
or templates, and is no example of anything but how little a path can cost.
"""

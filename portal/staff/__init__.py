"""Who of the staff may do what, and how they prove who they are beyond a password.

`permissions.py` is the one table of roles and permissions, deny by default. The second factor (RFC 6238)
is compulsory for every staff role; its seed is kept encrypted (`seeds.py`), each code works once, and
what is dangerous asks for a fresh one (`second_factor.py`). A role that moves money or makes others staff
is given by two persons (`roles.py`).
"""

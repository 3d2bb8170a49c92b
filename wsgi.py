"""The portal for a WSGI server (`gunicorn wsgi:app`) and for `flask --app wsgi`."""

from portal.app import create_app

app = create_app()

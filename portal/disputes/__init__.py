"""Complaints of payers at the gateway: what they say, what we answer, and by when.

What the gateway tells is copied (`syncing.py`), after each notification and every hour. What staff do is written
down first and sent by the worker (`acts.py`).
"""

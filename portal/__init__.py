"""The Learning Buddy Portal: sells courses, takes WeChat Pay, hands over signed licenses.

Start reading at `app.py` (where everything meets) or at `docs/architecture.md` (the house, and a
purchase walking through it).
"""

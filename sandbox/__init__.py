"""A sandbox of WeChat Pay: what a merchant sees of API v3, on this machine and without money.

WeChat Pay offers no test system for API v3, so development and tests talk to this server instead. It is a
separate program: nothing in `portal/` imports it and it imports nothing from there; the two meet over HTTP
only. Start it with `python -m sandbox`; `README.md` beside this file describes it.
"""

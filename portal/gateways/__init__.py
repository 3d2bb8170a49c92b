"""The outside: payment gateways behind one small interface (`base.py`), a package for each.

Only here is an HTTP client imported. Nothing of a gateway's own vocabulary or SDK leaves its package.
"""

"""Facts about money: one row per transfer, added and never changed.

A row names the account debited and the account credited, so the books balance by construction (I4).
"""

"""Who did what, when: rows written in the fact's transaction and sealed into a hash chain afterwards.

Sealing runs in the worker every few seconds, so no global lock stands in the money path (DECISIONS 9).
"""

"""The same call twice has one effect and one answer (I11): a caller's `Idempotency-Key` and what became of it.

A key is inserted in the transaction that does the first part of the work, and remembers how far the work
came. A repeat gets the stored answer, is told to wait while the first call still runs, or, when the first
one died, goes on from the remembered step. A refusal leaves no key: nothing began.
"""

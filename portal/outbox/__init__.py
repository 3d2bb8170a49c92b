"""Work that follows a fact (a mail, a call to a gateway): a row born in the fact's transaction.

The row is the record; whatever wakes a worker is only a hint. `effect_key` is unique, so a fact causes
its effect once however often it is told. A worker claims a row by a lease; when it dies, the lease ends
and another takes over.
"""

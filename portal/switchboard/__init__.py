"""What is switched on and off while the shop is open: the sale, a banner on every page, the hold after a restored backup.

A switch is a row. Whoever begins an order reads it in the order's transaction; pages read it at most once in
five seconds for each process, so that a banner costs no statement.
"""

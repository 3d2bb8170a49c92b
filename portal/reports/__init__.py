"""What a day brought, counted once and kept: sales, orders, times to the license, pages seen.

A report over a year reads some thousand rows of counts instead of a million orders. The counts are no second
truth: each day is counted anew, whole, from the ledger and the orders while anything of it can still change
(`recount.py`), and `flask reports check` compares all of it. Days are Beijing's; money is fen of CNY, the one
currency of the catalogue. `product_id` is empty for money that belongs to no order.
"""

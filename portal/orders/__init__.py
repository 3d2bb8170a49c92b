"""What a learner owes and has paid for: Order, its frozen price and the table of its moves.

A price seen is a price kept: the amount and the terms are copied from the product when the order is
placed and never change. An order knows nothing of gateways; an attempt to pay it is a `Payment`.
`version` counts every change that a watching page must show.
"""

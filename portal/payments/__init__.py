"""Attempts to pay an order at a gateway, and what gateways tell of them.

A `Payment` is one attempt, with an order number of its own (`out_trade_no`) and the exact request as it
was first sent; a repeat sends the same again. It is on record before the gateway hears of it. Whatever
brings the news of money (notification, query, bill) goes through `settle`, which is the only way to
PAID. A gateway's answer is OK, REJECTED or UNKNOWN; UNKNOWN is asked about under the same number and
never shown as failure.
"""

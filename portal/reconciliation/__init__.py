"""The gateway's bill of a day against our books: every line has its payment or refund, or there is a case (I22).

A day has one run. Its bill is imported whole or not at all, and once: importing it again only compares again. What is imported
never changes; what differs is a row beside it, which goes away (and closes its case) when a later look finds
it mended, by a late bill, a settled payment or a booked refund. A payment that only the bill knows is settled
by the same `settle_payment` as any other news of it.

When the bill of a day is made, and where its file is found, is the gateway's to know (`gateways/`).
"""

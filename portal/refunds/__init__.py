"""Money given back: asked for, decided, sent to the gateway once, and settled as a fact.

A refund reserves its amount on the payment before anybody hears of it, so that refunds reserved or done never
exceed what was paid, however many ask at once. It has one number (`out_refund_no`) and one stored request
for ever; an answer that is not known is asked about under that number. Whatever brings the news
(notification, query, bill) goes through `settle`, the only way to SUCCEEDED.
"""

"""What staff read of orders and do to them: lists, search, an order's whole story, comments, acts.

Staff who may see only some courses hand the ids of those to every function here as `courses` (None: all), and
what is of another course is as absent as what never was.
"""

"""What is for sale: products, their prices, and the courses among them.

Prices are data, changed by loading a catalogue file or in the admin pages, never by code. A product has
a kind, so that plans and credit packs can stand beside courses. A price change is a new row of `Price`;
an order keeps its own copy of the amount, so no change here reaches a purchase already begun.
"""

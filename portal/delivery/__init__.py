"""Hand things over by mail: the receipt with the license, and links. Mail is sent from the outbox only.

A mail's Message-ID is made from its effect key, so a mail that is sent twice (a worker died after the server
took it) is the same mail to the receiver's program. Nothing here changes an order: a license is in the
account whether or not its mail arrives.
"""

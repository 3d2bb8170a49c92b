"""Pictures that people upload: a code to pay to, the proof of a transfer.

What comes is taken apart and put together again (`formats`): only the parts that draw the picture are kept, so that
neither a place and a name in it nor a second file behind it reaches anybody. They stay in the database, and with it
in its backups; each is served by the page that may show it.
"""

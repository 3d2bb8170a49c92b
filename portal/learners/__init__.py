"""People with an account, their sessions in browsers, and how they prove who they are.

A session's cookie holds a random secret and the table only its hash, so a session can be listed and
ended (`LoginSession`). Sign-in and password reset answer alike, in words and in time, whether or not an
account exists.
"""

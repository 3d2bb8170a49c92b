"""The door to an account: register, sign in and out, and the way back in with a forgotten password.

No answer here tells whether an address has an account, but one: registering with a known address cannot
make a second account, so it is refused in words that give no reason, few times an hour, and its owner is
told by mail.
"""

from portal.web.sign_in.views import bp

__all__ = ["bp"]

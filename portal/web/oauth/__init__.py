"""The door at which an editor gets, renews and gives back its tokens: RFC 8628, RFC 6749, RFC 7009.

Cookies are not looked at here, so nothing needs a CSRF token. The only client is the extension, which is
public: its `client_id` is a name and no proof (RFC 6749, section 2.1).
"""

from portal.web.oauth.views import bp

__all__ = ["bp"]

"""Editors that act for a learner: how one is connected (RFC 8628), its tokens, and how it is cut off.

An editor asks for a code (`DeviceGrant`), the learner types it in a browser and allows it, and the editor
fetches its tokens, once. All tokens of one editor are a `TokenFamily`: what the learner sees in the account
and can end. Access tokens live an hour. A refresh token works once; one that comes a second time has been
copied by somebody, so it ends the whole family (RFC 9700, section 4.14.2).

Codes and tokens are stored as hashes only. A family is worth nothing any more once its learner is disabled
or has a new password; `is_alive` says so wherever a family is looked at.
"""

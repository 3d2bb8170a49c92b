"""The right to use a course (Entitlement) and the signed text that proves it (License).

An entitlement is granted in the transaction that confirms the money, whether or not a signing key is at
hand; its license follows in the same transaction if it can, and by itself later if it cannot. A license's
text is what the extension verifies offline: `base64(JSON)|base64(signature over the base64 text)`.
Keys live in files, encrypted, one a kid, each with a state (`key_ring.py`).
"""

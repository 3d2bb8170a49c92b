"""When one person is enough for giving money or licenses away, and when another has to agree (I18).

The rule is the same for refunds and grants: up to `APPROVAL_SINGLE_FEN` at once and `APPROVAL_DAY_FEN` in a Beijing
day one person decides; beyond that a second one approves exactly what was asked for, which a digest fixes.
A shop of one person switches the second one off by `APPROVAL_ONE_PERSON_SHOP`, and every page of the desk says so.
"""

"""The code that a learner reads in the editor and types in the browser: `WDJB-MTHX`.

Eight consonants, because vowels would make words, without those that look like others (RFC 8628, section
6.1): 34 bits, which live ten minutes and may be guessed ten times by an account.
"""

import unicodedata

from portal.kit import ids

_LETTERS = "BCDFGHJKLMNPRSTVWXZ"
_LENGTH = 8
# What is read as one of ours, typed from a screen or a photograph of it.
_LOOK_ALIKES = str.maketrans("0OQ1I256U8", "DDDLLZSGVB")
_LONGEST_ENTRY = 64


def new_user_code() -> str:
    """Return a code without its dash, as it is compared."""
    return ids.random_text(_LENGTH, _LETTERS)


def shown(code: str) -> str:
    """Return a code as it is shown: in two groups."""
    return f"{code[:4]}-{code[4:]}"


def normalised(entry: str) -> str | None:
    """Return the code in what somebody typed, or None when it cannot be one.

    Case, blanks, dashes and dots of any kind, full-width letters and look-alikes do not matter.
    """
    if len(entry) > _LONGEST_ENTRY:
        return None
    letters = [letter for letter in unicodedata.normalize("NFKC", entry).upper() if letter.isalnum()]
    code = "".join(letters).translate(_LOOK_ALIKES)
    return code if len(code) == _LENGTH and all(letter in _LETTERS for letter in code) else None

"""Why a password may not be chosen, in words; two doors ask for new passwords."""

from flask_babel import gettext as _

from portal.learners.passwords import LONGEST, SHORTEST, Weakness


def password_hint() -> str:
    """Return what to know before choosing a password."""
    return _("At least %(count)s characters; several words are good.", count=SHORTEST)


def weakness_text(weakness: Weakness) -> str:
    """Return why a password is refused, and what to do."""
    texts = {
        Weakness.TOO_SHORT: _("Choose a password of at least %(count)s characters.", count=SHORTEST),
        Weakness.TOO_LONG: _("Choose a password of at most %(count)s characters.", count=LONGEST),
        Weakness.CONTROL: _("The password contains characters that cannot be typed. Choose another one."),
        Weakness.COMMON: _("Many people use this password, so it is easily guessed. Choose another one."),
        Weakness.PERSONAL: _("Your address or our name is easily guessed. Choose another password."),
    }
    return texts[weakness]

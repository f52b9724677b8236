"""Names that nobody has chosen and somebody may have to type."""

import secrets
import string

_LETTERS = string.ascii_letters + string.digits
_LENGTH = 16


def new_id() -> str:
    """A name of its own, of 95 random bits: letters and digits alone, as one that began with `-` would be an option."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))

"""Time stamps as the programs of others write them."""

from datetime import UTC, datetime
from typing import Final

from shared.clock import parse_iso_utc
from shared.errors import Code, Refusal

_SECONDS_BELOW: Final = 1e11
"""A Unix time from here on is in milliseconds."""
_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2100, 1, 1, tzinfo=UTC)


def moment(told: object) -> datetime:
    """A time stamp: Unix time in seconds or milliseconds, or ISO 8601 with a zone. Raises `Refusal`."""
    try:
        at = _read(told)
    except (ValueError, OverflowError, OSError):
        raise Refusal(
            Code.INVALID_PAYLOAD,
            f"timestamp {str(told)[:40]!r} is neither Unix time (s or ms) nor ISO 8601 with a zone",
        ) from None
    if _FIRST <= at < _LAST:
        return at
    # A microcontroller that has not asked for the time yet counts from its start.
    raise Refusal(
        Code.INVALID_PAYLOAD,
        f"timestamp {str(told)[:40]!r} is in {at.year}; send the true time, or none and the relay's counts",
    )


def _read(told: object) -> datetime:
    """Raises `ValueError`, `OverflowError` or `OSError` for what is no time."""
    if isinstance(told, str):
        return parse_iso_utc(told)
    if not isinstance(told, int | float) or isinstance(told, bool):
        raise ValueError("neither a number nor text")
    return datetime.fromtimestamp(told / 1e3 if told >= _SECONDS_BELOW else told, UTC)

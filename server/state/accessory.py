"""What is known of one accessory of one device."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.contract.payloads import AccessoryStatus

MOST_ACCESSORIES: Final = 128
"""Of one device: twice what it may have at a time."""


@dataclass
class AccessoryRecord:
    """The three truths of one accessory: desired, reported, and (from its device) the link."""

    name: str
    desired: bool | None = None
    by: str | None = None
    """Who gave the command that made it what it is; None where no command did."""
    reported: AccessoryStatus | None = None
    reported_at: datetime | None = None
    since: str | None = None
    """When it became what it is; None where nobody saw it change."""

"""The regular report of every accessory."""

from typing import Protocol


class Reports(Protocol):
    """Who can ask the accessories: their own thread alone may."""

    def want_report(self) -> None:
        """Have every accessory report, soon."""


def report_status(accessories: Reports) -> None:
    """Have every accessory read back and reported. Between two reports nothing is remembered: the pin is asked."""
    accessories.want_report()

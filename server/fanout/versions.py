"""Which libraries the relay can work with: the direct path relies on what they do not promise."""

import logging
import re
from importlib.metadata import version
from importlib.util import find_spec

from shared.settings import SettingsError

log = logging.getLogger(__name__)

KNOWN = {
    "python-engineio": ((4, 12), (4, 15)),
    "python-socketio": ((5, 13), (5, 18)),
    "gevent": ((25, 4), (26, 9)),
}
"""Oldest and newest, as (major, minor)."""


def direct_is_known() -> bool:
    """Whether the installed versions are among them. Where not, the log says so, and the stock path serves."""
    unknown = {name: found for name in KNOWN if not _within(found := version(name), *KNOWN[name])}
    for name, found in unknown.items():
        log.warning(
            "stock fan-out: the direct path is not known to work with this version: package=%s version=%s", name, found
        )
    return not unknown


def refuse_gevent_websocket() -> None:
    """python-engineio prefers gevent-websocket without a word; one 60 MB frame would stall every peer for 20 s.

    Raises `SettingsError`.
    """
    if find_spec("geventwebsocket"):
        raise SettingsError(
            "(packages)", "gevent-websocket", "cannot be used; remove it: pip uninstall gevent-websocket"
        )


def _within(found: str, oldest: tuple[int, int], newest: tuple[int, int]) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)", found)
    return numbers is not None and oldest <= (int(numbers[1]), int(numbers[2])) <= newest

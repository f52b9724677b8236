"""The tables. Times are milliseconds since 1970, UTC; how they come to be is in `migrations/versions/`.

`events` is the log and the truth. `readings` is written with it. All else that is derived (`minutes`, `hours`,
`stored_ranges`, `latest`, `last_readings`, `late`, `last_seen`) is folded in some seconds later, in one transaction
with the watermark `folded`: after a crash the log is read again from there.
"""

from server.storage.tables.base import Big, metadata
from server.storage.tables.log import (
    NEWS,
    devices,
    drops,
    erased,
    events,
    hours,
    last_readings,
    latest,
    marks,
    minutes,
    readings,
    series,
    stored_ranges,
    streams,
)
from server.storage.tables.operations import (
    alert_rules,
    alerts,
    availability,
    commands,
    dead_letters,
    insights,
    notifications,
    profile_changes,
    profiles,
    tokens,
)

__all__ = [
    "NEWS",
    "Big",
    "alert_rules",
    "alerts",
    "availability",
    "commands",
    "dead_letters",
    "devices",
    "drops",
    "erased",
    "events",
    "hours",
    "insights",
    "last_readings",
    "latest",
    "marks",
    "metadata",
    "minutes",
    "notifications",
    "profile_changes",
    "profiles",
    "readings",
    "series",
    "stored_ranges",
    "streams",
    "tokens",
]

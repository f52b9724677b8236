"""Real rooms: temperature and humidity every ten minutes, from any `indoor_climate_10min*.csv.gz`.

The columns are `date`, and for each room `T<name>` and `RH_<name>`. All rooms of all such files are read.
"""

import csv
import gzip
from datetime import UTC, datetime
from pathlib import Path

from pi_agent.training.climate import Series, slot_of

PATTERN = "indoor_climate_10min*.csv.gz"


def read_rooms(data: Path) -> dict[str, Series]:
    """Every room by its name. Raises `FileNotFoundError` where there is no such file."""
    rooms: dict[str, Series] = {}
    for file in sorted(data.glob(PATTERN)):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            rooms |= _read(list(csv.DictReader(lines)))
    if not rooms:
        raise FileNotFoundError(f"{data} has no {PATTERN}")
    return rooms


def _read(rows: list[dict[str, str]]) -> dict[str, Series]:
    slots = [slot_of(datetime.fromisoformat(row["date"]).replace(tzinfo=UTC)) for row in rows]
    at = dict(zip(slots, rows, strict=True))
    names = [name[1:] for name in rows[0] if name[:1] == "T" and f"RH_{name[1:]}" in rows[0]]

    def column(name: str) -> list[float | None]:
        return [_number(at.get(slot, {}).get(name)) for slot in range(slots[0], slots[-1] + 1)]

    return {f"room {name}": Series(slots[0], column(f"T{name}"), column(f"RH_{name}")) for name in names}


def _number(text: str | None) -> float | None:
    return float(text) if text else None

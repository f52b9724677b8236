"""Readings as a stream of text, in bounded memory. The database writes the lines: the hub only passes them on."""

import csv
import io
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, String, cast, func, literal, select

from server.storage.dialect import Dialect
from server.storage.engine import Database
from server.storage.tables import devices, readings, series
from shared.contract.quantities import QUANTITIES
from shared.errors import Code, Refusal

_CHUNK = 5_000
"""Readings in one piece."""


class ExportFormat(StrEnum):
    """How an export is written: with a header line, or one JSON object per line."""

    CSV = "csv"
    NDJSON = "ndjson"


def export(
    database: Database,
    device: str,
    quantities: tuple[str, ...],
    from_ms: int,
    to_ms: int,
    form: ExportFormat,
) -> Iterator[bytes]:
    """The readings from `from_ms` to before `to_ms`, quantity after quantity, each in the order of time.

    No quantities: all of the device. Columns: device, quantity, unit, taken_at, value. Raises `Refusal` before the
    first piece: `unknown_device`, `unknown_quantity`.
    """
    chosen = database.read(lambda connection: _series(connection, device, quantities))
    return _pieces(database, device, chosen, from_ms, to_ms, form)


def _series(connection: Connection, device: str, quantities: tuple[str, ...]) -> list[tuple[int, str]]:
    known = connection.scalar(select(devices.c.id).where(devices.c.name == device))
    if known is None:
        raise Refusal(Code.UNKNOWN_DEVICE)
    rows = connection.execute(
        select(series.c.quantity, series.c.id).where(series.c.device_id == known).order_by(series.c.quantity)
    )
    have = {row.quantity: row.id for row in rows}
    unknown = [quantity for quantity in quantities if quantity not in have]
    if unknown:
        raise Refusal(Code.UNKNOWN_QUANTITY, f"{device!r} has no readings of {unknown[0]!r}")
    return [(have[quantity], quantity) for quantity in quantities or have]


def _pieces(
    database: Database, device: str, chosen: list[tuple[int, str]], from_ms: int, to_ms: int, form: ExportFormat
) -> Iterator[bytes]:
    if form is ExportFormat.CSV:
        yield b"device,quantity,unit,taken_at,value\n"
    for row, quantity in chosen:
        unit = QUANTITIES[quantity].unit if quantity in QUANTITIES else ""
        start: int | None = from_ms
        while start is not None:
            text, start = database.read(
                lambda connection, row=row, start=start, unit=unit, quantity=quantity: _piece(  # type: ignore[misc]
                    database.dialect, connection, row, (start, to_ms), _around(form, device, quantity, unit)
                )
            )
            if text:
                yield text.encode()


def _around(form: ExportFormat, device: str, quantity: str, unit: str) -> tuple[str, str, str]:
    """What stands before the time, between it and the value, and after that."""
    if form is ExportFormat.NDJSON:
        head = msgspec.json.encode({"device": device, "quantity": quantity, "unit": unit}).decode()
        return f'{head[:-1]},"taken_at":"', '","value":', "}\n"
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([device, quantity, unit, ""])
    return line.getvalue(), ",", "\n"


def _piece(
    dialect: Dialect, connection: Connection, row: int, span: tuple[int, int], around: tuple[str, str, str]
) -> tuple[str | None, int | None]:
    """The lines of the next readings, and where the next piece starts; None at the end."""
    start, end = span
    columns = readings.c
    own = (columns.series_id == row) & (columns.taken_at >= start) & (columns.taken_at < end)
    # Cut between two milliseconds, never within one.
    stop = connection.scalar(select(columns.taken_at).where(own).order_by(columns.taken_at).offset(_CHUNK).limit(1))
    if stop is not None:
        stop = max(stop, start + 1)
        own &= columns.taken_at < stop
    before, between, after = around
    line: Any = literal(before) + dialect.iso_text(columns.taken_at) + literal(between) + cast(columns.value, String)
    lines = (
        select((line + literal(after)).label("line")).where(own).order_by(columns.taken_at, columns.cursor).subquery()
    )
    return connection.scalar(select(func.coalesce(func.aggregate_strings(lines.c.line, ""), ""))), stop

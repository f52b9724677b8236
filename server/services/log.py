"""Why a device is as it is: its states with their causes, commands, comings and goings, alerts, what people changed."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from server.services import frames
from server.services.commands.entry import result_of
from server.storage.commands import CommandBook, CommandRow
from server.storage.log import KINDS, MAX_ENTRIES, Entry, Log, Position
from shared.clock import from_ms, iso_utc
from shared.contract.payloads import AccessoryState, Alert, DeviceStatus, parse
from shared.errors import Code, Refusal
from shared.wire import StrictJson

_POSITION = re.compile(r"(\d{1,16})\.(\d{1,2})\.(\d{1,18})")


class DeviceLog:
    """Pages of a device's log, as pages and programs are shown them."""

    def __init__(self, log: Log, book: CommandBook) -> None:
        self._log = log
        self._book = book

    def page(
        self, device: str, kinds: Sequence[str] = (), before: str | None = None, limit: int = 50
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Entries, newest first, and what to ask for the page after them; None where there is none.

        An entry has `at`, `kind`, and under the name of its kind the contract's own body. Raises `Refusal` with
        `invalid_payload`.
        """
        if not 1 <= limit <= MAX_ENTRIES:
            raise Refusal(Code.INVALID_PAYLOAD, f"limit={limit} is not in 1..{MAX_ENTRIES}")
        if unknown := set(kinds) - set(KINDS):
            raise Refusal(Code.INVALID_PAYLOAD, f"kind={', '.join(sorted(unknown))[:40]}: there are {', '.join(KINDS)}")
        entries = self._log.page(device, kinds or KINDS, _position(before) if before else None, limit)
        shown = [told for entry in entries if (told := _shown(device, entry)) is not None]
        self._attribute(shown)
        return shown, _cursor(entries[-1].position) if len(entries) == limit else None

    def _attribute(self, shown: list[dict[str, Any]]) -> None:
        """Say of states who gave the command that they come from."""
        states = [entry for entry in shown if entry["kind"] == "state" and entry["state"].command]
        by = {(row.command, row.device): row.asked_by for row in self._book.named(_commands(states))}
        for entry in states:
            state: AccessoryState = entry["state"]
            who = by.get((state.command or "", state.device or ""))
            entry["state"] = msgspec.structs.replace(state, by=who)


def _commands(states: list[dict[str, Any]]) -> set[str]:
    return {entry["state"].command for entry in states}


def _shown(device: str, entry: Entry) -> dict[str, Any] | None:
    """None for a row that is damaged: it must not hide the others."""
    at_ms = entry.position.at_ms
    try:
        return {"at": iso_utc(from_ms(at_ms)), "kind": entry.kind, entry.kind: _BODIES[entry.kind](device, entry)}
    except (Refusal, ValueError, TypeError):
        return None


def _event(device: str, entry: Entry) -> object:
    event, body, cursor = entry.fields
    shown = frames.replayed(event, device, body, from_ms(entry.position.at_ms), cursor)
    if shown is None:
        raise ValueError(f"{event} is not shown")
    return shown[1]


def _command(_: str, entry: Entry) -> object:
    return result_of(CommandRow(*entry.fields))


def _availability(device: str, entry: Entry) -> object:
    online, reason, flapping = entry.fields
    since = iso_utc(from_ms(entry.position.at_ms))
    return DeviceStatus.build(device=device, online=bool(online), since=since, reason=reason, flapping=bool(flapping))


def _alert(_: str, entry: Entry) -> object:
    return parse(Alert, StrictJson.loads(entry.fields[0]))


def _profile(_: str, entry: Entry) -> object:
    by, change = entry.fields
    return {"by": by, "change": StrictJson.loads(change)}


_BODIES: dict[str, Callable[[str, Entry], object]] = {
    "state": _event,
    "motion": _event,
    "training": _event,
    "command": _command,
    "availability": _availability,
    "alert": _alert,
    "profile": _profile,
}


def _cursor(position: Position) -> str:
    return urlsafe_b64encode(f"{position.at_ms}.{position.table}.{position.id}".encode()).decode().rstrip("=")


def _position(cursor: str) -> Position:
    try:
        found = _POSITION.fullmatch(urlsafe_b64decode(cursor[:80] + "=" * (-len(cursor[:80]) % 4)).decode())
    except ValueError:
        found = None
    if found is None:
        raise Refusal(Code.INVALID_PAYLOAD, f"before={cursor[:40]!r} is not what a page of this log ended with")
    return Position(*map(int, found.groups()))

"""Journal against database: the five zeros."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields

from shared.clock import parse_iso_utc, to_ms
from shared.contract.events import DROP_PUB_PI, SENSOR_DATA_PUB_PI
from tests.faults.fingerprint import fingerprint
from tests.faults.journal import Book, Fate, Key, Made
from tests.faults.stored import Contents, DropSpan, StoredEvent


@dataclass(frozen=True)
class Zeros:
    """Each must be empty."""

    acked_not_stored: tuple[Key, ...]
    stored_not_generated: tuple[Key, ...]
    duplicate_keys: tuple[Key, ...]
    hash_mismatch: tuple[Key, ...]
    missing_without_record: tuple[Key, ...]

    def counts(self) -> dict[str, int]:
        """How many there are of each, by its name for people."""
        return {field.name.replace("_", " "): len(getattr(self, field.name)) for field in fields(self)}

    @property
    def all_zero(self) -> bool:
        return not any(self.counts().values())


@dataclass(frozen=True)
class Account:
    """The five, and what else the two sides say."""

    zeros: Zeros
    durable: int
    """Events that were certainly durable on the agent."""
    unknown: int
    """Events of which nobody knows: a kill hit their commit, and their stream was not continued."""
    acked: int
    stored: int
    resends: int
    """Resends that the relay recognised."""
    dropped: dict[str, int]
    """Ids that are declared lost and not stored, by reason."""
    unnumbered: int
    """Events that the agent declared lost before they had an id."""
    differences: dict[Key, str]
    """What is wrong with those whose hash differs."""


def settle(book: Book, contents: Contents) -> Account:
    """Bring both together. All is quiet: nothing is on its way."""
    stored = {event.key: event for event in contents.events}
    copies = Counter(event.key for event in contents.events)
    twice = [key for key, count in copies.items() if count > 1]
    generated = {key: made for key, made in book.made.items() if made.fate is not Fate.UNDONE}
    acked = {key for key, made in book.made.items() if made.acked_s is not None} | set(book.acks_of_nothing)
    differences = {
        event.key: difference
        for event in contents.events
        if event.key in generated and (difference := _difference(generated[event.key], event))
    }
    declared = _Declared(contents.drops)
    missing = [key for key in _expected(generated, stored) if key not in stored]
    dropped = Counter(reason for key in missing if (reason := declared.reason(key)))
    return Account(
        Zeros(
            acked_not_stored=_sorted(acked - stored.keys()),
            stored_not_generated=_sorted(stored.keys() - generated.keys()),
            duplicate_keys=_sorted([*twice, *book.given_twice]),
            hash_mismatch=_sorted(differences),
            missing_without_record=_sorted(key for key in missing if declared.reason(key) is None),
        ),
        durable=sum(made.fate is Fate.DURABLE for made in book.made.values()),
        unknown=sum(made.fate is Fate.UNKNOWN for made in book.made.values()),
        acked=book.acked,
        stored=len(stored),
        resends=book.resends,
        dropped=dict(dropped),
        unnumbered=sum(
            event.body["count"]
            for event in contents.events
            if event.event == DROP_PUB_PI.name and "first_id" not in event.body
        ),
        differences=differences,
    )


def _difference(made: Made, event: StoredEvent) -> str:
    """What of a stored event is not as it was made; an empty text where all is."""
    body = event.body
    if not event.whole:
        return "the row does not match its own hash"
    if event.event != made.event or fingerprint(event.event, body) != made.digest:
        return "the body"
    # The time stamp may differ only where the body says that it was corrected.
    taken_at_ms = to_ms(parse_iso_utc(body["taken_at"]))
    redated = (body.get("clock") or {}).get("redated", False)
    if taken_at_ms != event.taken_at_ms or (taken_at_ms != made.wall_ms and not redated):
        return f"the time: {body['taken_at']}, column {event.taken_at_ms}, made {made.wall_ms}"
    values = body["data"] if event.event == SENSOR_DATA_PUB_PI.name else {}
    if event.readings != {name: value for name, value in values.items() if value is not None}:
        return "the readings"
    return ""


def _expected(generated: dict[Key, Made], stored: dict[Key, StoredEvent]) -> Iterable[Key]:
    """Every id that must be accounted for: up to the last one of each stream that is certain."""
    last: dict[tuple[str, str], int] = {}
    for key in [*stored, *(key for key, made in generated.items() if made.fate is Fate.DURABLE)]:
        stream = (key.device, key.stream)
        last[stream] = max(last.get(stream, 0), key.id)
    for (device, stream), highest in last.items():
        for id_ in range(1, highest + 1):
            yield Key(device, stream, id_)


class _Declared:
    """What the drop records say."""

    def __init__(self, spans: Iterable[DropSpan]) -> None:
        self._spans: dict[tuple[str, str], list[DropSpan]] = {}
        for span in spans:
            self._spans.setdefault((span.device, span.stream), []).append(span)

    def reason(self, key: Key) -> str | None:
        spans = self._spans.get((key.device, key.stream), ())
        return next((span.reason for span in spans if span.first <= key.id <= span.last), None)


def _sorted(keys: Iterable[Key]) -> tuple[Key, ...]:
    return tuple(sorted(keys))

"""The journal: what was made and what was acked, kept where no fault reaches.

An agent's generator sends *lines* to the parent through a socket: a message that `send` has taken is in the kernel, and
arrives though its sender is killed in the next instant. The order of the lines is what gives them their meaning:

    intent    before COMMIT   these events are about to become durable
    commit    after COMMIT    they are
    rollback  instead of it   they are not, and their ids will be given again
    ack       before the agent acts on it

Killed between intent and commit, nobody knows whether COMMIT was done. The next ids tell: where the agent goes on
behind them they were durable, where it gives one of them again that one was not. Until then they may be stored or not.
"""

import itertools
import json
import os
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

_LINE_BYTES = 65_536
EVENTS_PER_LINE = 100


class Key(NamedTuple):
    """Names one event for ever."""

    device: str
    stream: str
    id: int


class Fate(StrEnum):
    """What is known of an event's commit."""

    UNKNOWN = "unknown"
    DURABLE = "durable"
    UNDONE = "undone"


@dataclass
class Made:
    """One event as it was made."""

    event: str
    digest: str
    wall_ms: int
    """What its time stamp says, unless it is dated again."""
    at_s: float
    """When the journal heard of it, on the parent's monotonic clock."""
    group: str
    """The transaction that it belongs to."""
    fate: Fate = Fate.UNKNOWN
    acked_s: float | None = None
    given_up: bool = False
    """A drop record was made for it."""


@dataclass
class Book:
    """What the lines say, brought together."""

    made: dict[Key, Made] = field(default_factory=dict)
    given_twice: list[Key] = field(default_factory=list)
    """Ids that were given to an event although another one had them durably."""
    acks_of_nothing: list[Key] = field(default_factory=list)
    """Acks for what no intent announced."""
    resends: int = 0
    """Acks that said: stored before."""

    def take(self, device: str, line: Mapping[str, Any], at_s: float) -> None:
        """Read one line. Raises `ValueError` for one that is none."""
        kind, stream = line["kind"], line.get("stream", "")
        if kind == "intent":
            for id_, event, digest, wall_ms, *drop in line["events"]:
                self._intend(Key(device, stream, id_), Made(event, digest, wall_ms, at_s, line["group"]))
                if drop:
                    first, last, of_stream = drop
                    self._give_up(device, of_stream or stream, first, last)
        elif kind == "commit":
            for id_ in range(line["first"], line["last"] + 1):
                self.made[Key(device, stream, id_)].fate = Fate.DURABLE
        elif kind == "rollback":
            for id_ in range(line["first"], line["last"] + 1):
                self.made[Key(device, stream, id_)].fate = Fate.UNDONE
        elif kind == "ack":
            self._ack(Key(device, stream, line["id"]), line["code"], at_s)
        elif kind != "note":
            raise ValueError(f"no line of a journal: {line}")

    def _intend(self, key: Key, made: Made) -> None:
        before = self.made.get(key)
        if before is not None and (before.fate is Fate.DURABLE or before.acked_s is not None):
            self.given_twice.append(key)
        self.made[key] = made
        # Ids are given in order: what an earlier transaction left unknown before this one was durable.
        behind = key._replace(id=key.id - 1)
        while (earlier := self.made.get(behind)) is not None and earlier.fate is Fate.UNKNOWN:
            if earlier.group == made.group:
                return
            earlier.fate = Fate.DURABLE
            behind = behind._replace(id=behind.id - 1)

    def _give_up(self, device: str, stream: str, first: int, last: int) -> None:
        for id_ in range(first, last + 1):
            if made := self.made.get(Key(device, stream, id_)):
                made.given_up = True

    def _ack(self, key: Key, code: str, at_s: float) -> None:
        made = self.made.get(key)
        if made is None:
            self.acks_of_nothing.append(key)
            return
        # It was sent, so it was durable: the sender is quicker than the line that says so.
        made.fate = Fate.DURABLE
        if made.acked_s is None:
            made.acked_s = at_s
        self.resends += code == "duplicate"

    @property
    def open(self) -> int:
        """Events that are durable, and that nobody acked or gave up yet."""
        return sum(
            made.fate is Fate.DURABLE and made.acked_s is None and not made.given_up for made in self.made.values()
        )

    @property
    def acked(self) -> int:
        return sum(made.acked_s is not None for made in self.made.values())


class Journal:
    """The parent's side: reads the lines of one generator after the other, and keeps them in a file."""

    def __init__(self, path: Path, device: str) -> None:
        self.book = Book()
        self.lock = threading.Lock()
        """Held while `book` changes."""
        self.notes: list[tuple[float, str]] = []
        """What a generator told beside its events, and when."""
        self.trouble: Exception | None = None
        """Why it reads no more."""
        self._device = device
        self._file = path.open("w", encoding="utf-8")
        self._armed: dict[str, list[threading.Event]] = {}
        self._reader: threading.Thread | None = None

    def channel(self) -> socket.socket:
        """The writing end for a new generator, to be closed here once it has it.

        Waits until all is read that the last generator wrote, which must have ended.
        """
        if self._reader is not None:
            self._reader.join()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._reader = threading.Thread(target=self._read, args=(ours,), name="journal", daemon=True)
        self._reader.start()
        return theirs

    def at_next(self, kind: str) -> threading.Event:
        """An event that is set as soon as the next line of this kind arrives."""
        seen = threading.Event()
        with self.lock:
            self._armed.setdefault(kind, []).append(seen)
        return seen

    def close(self) -> None:
        """Read what is left; its writers have ended. Raises what stopped the reading."""
        if self._reader is not None:
            self._reader.join()
        self._file.close()
        if self.trouble is not None:
            raise self.trouble

    def _read(self, ours: socket.socket) -> None:
        with ours:
            try:
                while data := ours.recv(_LINE_BYTES):
                    self._take(json.loads(data), time.monotonic())
            except (OSError, ValueError, KeyError) as error:
                self.trouble = error

    def _take(self, line: dict[str, Any], at_s: float) -> None:
        with self.lock:
            # First of all: who waits for this moment wants to be quick.
            for seen in self._armed.pop(line["kind"], ()):
                seen.set()
            self._file.write(json.dumps({"at_s": round(at_s, 4), "device": self._device, **line}) + "\n")
            self.book.take(self._device, line, at_s)
            if line["kind"] == "note":
                self.notes.append((at_s, line["text"]))


class Pen:
    """The generator's side."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._groups = itertools.count(1)

    def intent(self, stream: str, events: Iterable[Sequence[object]]) -> None:
        """`events` are about to be committed together: (id, event, digest, wall_ms).

        A drop record's row goes on with what it gives up: first id, last id, and their stream where it is another one.
        """
        batch, group = list(events), f"{os.getpid()}-{next(self._groups)}"
        for begin in range(0, len(batch), EVENTS_PER_LINE):
            self._write(kind="intent", stream=stream, group=group, events=batch[begin : begin + EVENTS_PER_LINE])

    def committed(self, stream: str, first: int, last: int) -> None:
        """The ids `first` to `last` are durable."""
        self._write(kind="commit", stream=stream, first=first, last=last)

    def rolled_back(self, stream: str, first: int, last: int) -> None:
        """They are not."""
        self._write(kind="rollback", stream=stream, first=first, last=last)

    def ack(self, stream: str, id_: int, code: str) -> None:
        """The relay says that it has the event."""
        self._write(kind="ack", stream=stream, id=id_, code=code)

    def note(self, text: str) -> None:
        """Something for people."""
        self._write(kind="note", text=text)

    def _write(self, **line: Any) -> None:
        # One message is taken whole or not at all.
        self._channel.send(json.dumps(line, separators=(",", ":")).encode())


def read_journal(path: Path) -> Book:
    """The book of a journal that was kept in a file."""
    book = Book()
    with path.open(encoding="utf-8") as file:
        for text in file:
            line = json.loads(text)
            book.take(line["device"], line, line["at_s"])
    return book

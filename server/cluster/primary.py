"""The worker that decides: what carriers pass on is taken in as from connections of its own."""

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence

import gevent
from gevent.event import AsyncResult

from server.cluster.link import Broken, Link
from server.cluster.messages import (
    PROTOCOL,
    Cast,
    Closed,
    Drain,
    Drained,
    Entered,
    Envelope,
    Figures,
    Join,
    Lagging,
    Left,
    Message,
    Opened,
    Over,
    Reading,
    Welcome,
    Word,
)
from server.cluster.queue import Queue
from server.fanout.far import Data, Far, Room
from server.fanout.port import Port
from server.fanout.slow import Lag, Totals
from server.settings import ClusterSettings
from shared.clock import Clock
from shared.ids import new_id

log = logging.getLogger(__name__)

CHANNEL = "primary"
"""What carriers say."""
EVERYBODY = "workers"
"""What all carriers hear."""


def channel_of(worker: str) -> str:
    """What one carrier hears."""
    return f"worker:{worker}"


def soon(call: Callable[[], None]) -> None:
    """Call in the hub, after what already waits there."""
    gevent.get_hub().loop.run_callback(call)


class Remote:
    """A carrier, as the primary sees it; see `server.fanout.far.Carrier`."""

    def __init__(self, name: str, link: Link, port: Port, figures: Figures) -> None:
        """`figures` are what it said of itself before, on an earlier link."""
        self.name = name
        self.link = link
        self.figures = figures
        self._port = port
        self._connections: dict[str, Far] = {}
        self._lagging: tuple[Lag, ...] = ()
        self._numbers = itertools.count(1)
        self._drains: dict[int, AsyncResult[bool]] = {}

    def __len__(self) -> int:
        """Connections that it carries."""
        return len(self._connections)

    # --- Carrier --------------------------------------------------------------------------------------------------

    def say(self, sid: str, data: Data) -> None:
        """See `Carrier`."""
        self.link.put(Message(sid, data))

    def cast(self, rooms: Sequence[Room], skip: Sequence[str], data: Sequence[Data]) -> None:
        """See `Carrier`."""
        self.link.put(Cast(tuple(rooms), tuple(skip), tuple(data)))

    def put_in(self, room: Room, sid: str) -> None:
        """See `Carrier`."""
        self.link.put(Entered(room, sid))

    def take_out(self, room: Room, sid: str) -> None:
        """See `Carrier`."""
        self.link.put(Left(room, sid))

    def read(self, sid: str, *, on: bool) -> None:
        """See `Carrier`."""
        self.link.put(Reading(sid, on))

    def drained(self, sid: str) -> bool:
        """See `Carrier`."""
        if sid not in self._connections:
            return False
        token = next(self._numbers)
        answer = self._drains[token] = AsyncResult()
        self.link.put(Drain(sid, token))
        return bool(answer.get())

    def end(self, sid: str) -> None:
        """See `Carrier`."""
        if self._connections.pop(sid, None) is not None:
            self.link.put(Closed(sid))

    # --- what it says ---------------------------------------------------------------------------------------------

    def took(self, word: Word) -> None:
        """Do what it says."""
        match word:
            case Message(sid, data):
                if (far := self._connections.get(sid)) is not None:
                    far.took(data)
            case Opened(sid, environ):
                self._connections[sid] = self._port.carry(sid, environ, self)
            case Closed(sid):
                if (far := self._connections.pop(sid, None)) is not None:
                    far.lost()
            case Drained(token, there):
                if (answer := self._drains.pop(token, None)) is not None:
                    answer.set(there)
            case Figures():
                self.figures = word
            case Lagging(lags):
                self._lag(lags)
            case _:
                raise Broken(f"a carrier does not say {type(word).__name__}")

    def _lag(self, lags: tuple[Lag, ...]) -> None:
        for known in self._lagging:
            if (far := self._connections.get(known.sid)) is not None:
                far.lag = None
        for lag in lags:
            if (far := self._connections.get(lag.sid)) is not None:
                far.lag = lag
        self._lagging = lags

    def close(self) -> None:
        """It carries nothing any more."""
        self.link.close()
        connections, self._connections = self._connections, {}
        for far in connections.values():
            far.lost()
        drains, self._drains = self._drains, {}
        for answer in drains.values():
            answer.set(False)


class Primary:
    """All carriers of this relay."""

    def __init__(self, settings: ClusterSettings, port: Port, clock: Clock) -> None:
        """Raises `SettingsError`."""
        self._port = port
        self._clock = clock
        self._address = ""
        self.queue = Queue(settings, CHANNEL, None, self)
        """The way to them."""
        self._carriers: dict[str, Remote] = {}
        self._earlier: dict[str, Figures] = {}
        """What workers last said that are not here now."""
        self._strangers: set[str] = set()
        self._stopping = False
        self.losses = 0
        """Links that broke, and their connections with them."""

    def __iter__(self) -> Iterator[Remote]:
        """The carriers."""
        return iter(self._carriers.values())

    def __len__(self) -> int:
        return len(self._carriers)

    def totals(self) -> Totals:
        """What all of them together, those that are gone among them, could not deliver."""
        said = [carrier.figures for carrier in self] + list(self._earlier.values())
        return sum((figures.totals for figures in said), Totals())

    def start(self, address: str) -> None:
        """Let carriers come; `address` is where they send HTTP requests on to."""
        self._address = address
        self.queue.start()

    def stop(self) -> None:
        """Tell them that it is over."""
        self._stopping = True
        for carrier in tuple(self._carriers.values()):
            self._tell(carrier.link.worker, carrier.link.name, Over())
            carrier.close()
        self._carriers.clear()
        self.queue.stop()

    def tick(self) -> None:
        """Part with carriers that have gone. Call it every second or so."""
        for carrier in tuple(self._carriers.values()):
            try:
                carrier.link.tick()
            except Broken as why:
                self._part(carrier, str(why))

    # --- the queue ------------------------------------------------------------------------------------------------

    def changed(self, *, up: bool) -> None:
        """See `queue.Listener`."""
        if up:
            # Whoever carries for an earlier primary, or was here before the queue went away, joins anew.
            self.queue.publish(EVERYBODY, Envelope("", "", 0, (Over(),)))
            return
        for carrier in tuple(self._carriers.values()):
            self._part(carrier, "the message queue went away")

    def received(self, envelope: Envelope) -> None:
        """See `queue.Listener`."""
        if self._stopping:
            return
        if envelope.words and isinstance(join := envelope.words[0], Join):
            if join.protocol == PROTOCOL:
                self._joined(envelope.worker, join.name)
            elif join.name not in self._strangers:
                self._strangers.add(join.name)
                log.warning("a worker of another version cannot carry connections: name=%s", join.name)
            return
        carrier = self._carriers.get(envelope.worker)
        if carrier is None or carrier.link.name != envelope.link:
            self._tell(envelope.worker, envelope.link, Over())
            return
        if envelope.words and isinstance(envelope.words[0], Over):
            self._part(carrier, "it stopped")
            return
        try:
            for word in carrier.link.take(envelope):
                carrier.took(word)
        except Broken as why:
            self._part(carrier, str(why))

    # --- inside ---------------------------------------------------------------------------------------------------

    def _joined(self, worker: str, name: str) -> None:
        if (known := self._carriers.get(worker)) is not None:
            self._part(known, "it joined again")
        channel = channel_of(worker)
        link = Link(
            worker,
            new_id(),
            lambda envelope: self.queue.publish(channel, envelope),
            soon,
            self._clock,
        )
        self._carriers[worker] = Remote(name, link, self._port, self._earlier.pop(worker, Figures()))
        link.put(Welcome(self._address))
        log.info("worker joined: name=%s", name)

    def _part(self, carrier: Remote, why: str) -> None:
        log.warning("worker lost: name=%s connections=%d reason=%s", carrier.name, len(carrier), why)
        self.losses += 1
        self._carriers.pop(carrier.link.worker, None)
        self._earlier[carrier.link.worker] = carrier.figures
        self._tell(carrier.link.worker, carrier.link.name, Over())
        carrier.close()

    def _tell(self, worker: str, link: str, word: Word) -> None:
        """Say something outside of a link."""
        self.queue.publish(channel_of(worker), Envelope(worker, link, 0, (word,)))

"""A worker that carries connections for the primary, from when it is welcome until the link breaks."""

import logging
from typing import Any

import gevent

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
from server.cluster.primary import CHANNEL, EVERYBODY, channel_of, soon
from server.cluster.queue import Queue
from server.fanout.carriage import Carriage
from server.fanout.far import Data
from server.settings import RelaySettings
from shared.clock import Clock, monotonic_s
from shared.ids import new_id

log = logging.getLogger(__name__)

_JOIN_AGAIN_S = 1.0


class Carrier:
    """The other end of `server.cluster.primary.Remote`."""

    def __init__(self, settings: RelaySettings, clock: Clock, name: str) -> None:
        """`name` is how people know this worker. Raises `SettingsError`."""
        self.name = name
        self._clock = clock
        self._id = new_id()
        self.carriage = Carriage(settings.limits, clock, self, settings.route())
        self._queue = Queue(settings.cluster, channel_of(self._id), EVERYBODY, self)
        self._link: Link | None = None
        self._joined_s = float("-inf")
        self._lost_s = monotonic_s(clock)
        self.address: str | None = None
        """Where the primary takes HTTP requests; None while there is none."""
        self.losses = 0
        self._lagged = False

    def start(self) -> None:
        """Look for a primary."""
        self._queue.start()

    def stop(self) -> None:
        """End all connections, and say so."""
        if self._link is not None:
            self._link.flush()
            self._say(self._link.name, Over())
        self._break("this worker stops")
        self._queue.stop()

    def tick(self) -> None:
        """Show that this worker is there, or look for a primary. Call it every second or so."""
        self.carriage.reap()
        if self._link is not None:
            self._link.put(self._figures())
            if (lags := self.carriage.lags()) or self._lagged:
                self._link.put(Lagging(lags))
            self._lagged = bool(lags)
            try:
                self._link.tick()
            except Broken as why:
                self._break(str(why))
        if self._link is None:
            self._join()

    @property
    def alone_s(self) -> float:
        """For how many seconds there has been no primary."""
        return 0.0 if self.address is not None else monotonic_s(self._clock) - self._lost_s

    # --- connections ------------------------------------------------------------------------------------------------

    def opened(self, sid: str, environ: dict[str, str]) -> bool:
        """See `Passenger`."""
        if self._link is None or self.address is None:
            return False
        self._link.put(Opened(sid, environ))
        return True

    def message(self, sid: str, data: Data) -> None:
        """See `Passenger`."""
        if self._link is not None:
            self._link.put(Message(sid, data))

    def closed(self, sid: str) -> None:
        """See `Passenger`."""
        if self._link is not None:
            self._link.put(Closed(sid))

    # --- the queue --------------------------------------------------------------------------------------------------

    def changed(self, *, up: bool) -> None:
        """See `queue.Listener`."""
        if up:
            self._join()
        else:
            self._break("the message queue went away")

    def received(self, envelope: Envelope) -> None:
        """See `queue.Listener`."""
        first = envelope.words[0] if envelope.words else None
        if isinstance(first, Over):
            if self._link is not None and envelope.link in ("", self._link.name):
                self._break("the primary has ended it")
            self._join()
            return
        if self._link is None:
            if not isinstance(first, Welcome):
                return
            self._link = Link(self._id, envelope.link, self._post, soon, self._clock)
        link = self._link
        try:
            if envelope.link != link.name:
                return
            for word in link.take(envelope):
                self._took(link, word)
        except Broken as why:
            self._break(str(why))

    def _took(self, link: Link, word: Word) -> None:
        port = self.carriage
        match word:
            case Cast(rooms, skip, data):
                port.cast(rooms, skip, data)
            case Message(sid, data):
                port.say(sid, data)
            case Entered(room, sid):
                port.put_in(room, sid)
            case Left(room, sid):
                port.take_out(room, sid)
            case Reading(sid, on):
                port.read(sid, on=on)
            case Drain(sid, token):
                gevent.spawn(self._drain, link, sid, token)
            case Closed(sid):
                port.end(sid)
            case Welcome(address):
                self.address = address
                log.info("carries connections: primary=%s", address)
            case _:
                raise Broken(f"a primary does not say {type(word).__name__}")

    # --- inside -----------------------------------------------------------------------------------------------------

    def _figures(self) -> Figures:
        port = self.carriage
        return Figures(
            connections=port.connections(),
            websockets=port.websockets(),
            unsent_bytes=port.unsent_bytes(),
            losses=self.losses,
            totals=port.totals(),
        )

    def _drain(self, link: Link, sid: str, token: int) -> None:
        # On the link that asked: another one has its own tokens, and a closed one says nothing.
        link.put(Drained(token, self.carriage.drained(sid)))

    def _join(self) -> None:
        now_s = monotonic_s(self._clock)
        if self._link is None and self._queue.up and now_s - self._joined_s >= _JOIN_AGAIN_S:
            self._joined_s = now_s
            self._say("", Join(self.name, PROTOCOL))

    def _break(self, why: str) -> None:
        """Nothing of what these connections say or hear is sure any more. Their peers know what to do."""
        if self._link is None:
            return
        log.warning("link broken, its connections end: connections=%d reason=%s", self.carriage.connections(), why)
        self._link.close()
        self._link = self.address = None
        self._lost_s = monotonic_s(self._clock)
        self.losses += 1
        self.carriage.shut()

    def _say(self, link: str, word: Any) -> None:
        self._post(Envelope(self._id, link, 0, (word,)))

    def _post(self, envelope: Envelope) -> None:
        self._queue.publish(CHANNEL, envelope)

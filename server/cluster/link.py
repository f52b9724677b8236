"""One primary and one carrier, over a queue that may lose things without a word.

What is lost cannot be had again, so it must only be noticed: each side numbers its envelopes, and says something at
least every second. After a gap or a long silence the link is broken, and both sides begin anew without connections.
"""

from collections.abc import Callable

from server.cluster.messages import Envelope, Word
from shared.clock import Clock, monotonic_s

BEAT_S = 1.0
"""Between two envelopes, at most."""
SILENCE_S = 5.0
"""After which nobody is there."""


class Broken(Exception):
    """Something was lost, or nobody is there."""


class Link:
    """One end. Words that are put together are sent together, in their order."""

    def __init__(
        self,
        worker: str,
        name: str,
        send: Callable[[Envelope], None],
        soon: Callable[[Callable[[], None]], object],
        clock: Clock,
    ) -> None:
        """`soon` calls back after what the hub is about to do: so all that one turn says goes into one envelope."""
        self.worker = worker
        self.name = name
        self._send = send
        self._soon = soon
        self._clock = clock
        self._waiting: list[Word] = []
        self._sent = 0
        self._received = 0
        self._spoke_s = self._heard_s = monotonic_s(clock)
        self._closed = False

    def put(self, word: Word) -> None:
        """Say something."""
        if self._closed:
            return
        self._waiting.append(word)
        if len(self._waiting) == 1:
            self._soon(self.flush)

    def flush(self) -> None:
        """Send what waits."""
        if self._waiting and not self._closed:
            self._post()

    def take(self, envelope: Envelope) -> tuple[Word, ...]:
        """What an envelope of this link says. Raises `Broken` where one before it is missing."""
        self._received += 1
        if envelope.number != self._received:
            raise Broken(f"envelope {self._received} came as {envelope.number}")
        self._heard_s = monotonic_s(self._clock)
        return envelope.words

    def tick(self) -> None:
        """Show that somebody is here. Raises `Broken` where nobody is at the other end. Call it every second or so."""
        now_s = monotonic_s(self._clock)
        if now_s - self._heard_s >= SILENCE_S:
            raise Broken(f"nothing came for {SILENCE_S:g} s")
        if now_s - self._spoke_s >= BEAT_S and not self._closed:
            self._post()

    def close(self) -> None:
        """Say nothing more."""
        self._closed = True
        self._waiting.clear()

    def _post(self) -> None:
        words, self._waiting = tuple(self._waiting), []
        self._sent += 1
        self._spoke_s = monotonic_s(self._clock)
        self._send(Envelope(self.worker, self.name, self._sent, words))

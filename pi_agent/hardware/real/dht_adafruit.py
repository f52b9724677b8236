"""DHT22 and DHT11 by adafruit-circuitpython-dht, in a process of its own that is killed when it hangs."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pi_agent.hardware.base import NotReady, PartFailed, PartUnavailable, TransientReadError
from pi_agent.hardware.real.child import Child, ChildLost
from pi_agent.hardware.real.dht_frame import DHT_INTERVAL_S, checked
from pi_agent.hardware.rest import Rest
from shared.backoff import Backoff
from shared.clock import Clock, monotonic_s

log = logging.getLogger(__name__)

PROGRAM: Final = Path(__file__).with_name("dht_child.py")
_LONGEST_BACKOFF_S = 300.0
_BARREN_READS = 10
"""So many failures in a row, and the process is replaced: its library's helper may be what is broken."""


@dataclass(frozen=True)
class Limits:
    """How long the process may take, in s: `start_s` to import the library on a slow Pi, `read_s` for a measurement."""

    start_s: float = 20.0
    read_s: float = 5.0


class DhtAdafruit:
    """A DHT22 (AM2302) or DHT11 temperature and humidity sensor on one GPIO line.

    Quantities: `temperature` in °C, `humidity` in %RH, with the sensor's own resolution (0.1, or 1 for a DHT11).
    Wiring: 3.3 V, data to the pin with 10 kΩ to 3.3 V, ground. Source: Aosong AM2302 and DHT11 datasheets.

    The library answers a call within 2 s of the last attempt, failed or not, with the values before it and no error.
    Hence one attempt per read, and none too soon.
    """

    min_interval_s: float = DHT_INTERVAL_S

    def __init__(
        self,
        model: str,
        gpio: int,
        clock: Clock,
        *,
        holder: Callable[[int], str | None] = lambda _gpio: None,
        limits: Limits | None = None,
    ) -> None:
        """Open it. `model` is `dht22` or `dht11`, and becomes the part's name. Raises `PartUnavailable`.

        `holder` names who has a line that cannot be had.
        """
        self.name = model
        self.quantities: tuple[str, ...] = ("temperature", "humidity")
        self._clock = clock
        self._limits = limits or Limits()
        # -P: the working directory, which others may write, is no place to import from.
        self._command = (sys.executable, "-P", str(PROGRAM), model, str(gpio))
        self._rest = Rest(model, self.min_interval_s, clock)
        self._backoff = Backoff(first_s=1.0, longest_s=_LONGEST_BACKOFF_S)
        self._lock = threading.Lock()  # `close` may come while another thread reads
        self._open = True
        self._child: Child | None = None
        self._ready = False
        self._started_s = self._again_s = 0.0
        self._trouble = ""
        self._barren = 0
        self._silences = 0
        self._begin(holder, gpio)

    @property
    def pid(self) -> int | None:
        """The process that has the library; None while there is none."""
        return self._child.pid if self._child else None

    def read(self) -> Mapping[str, float]:
        """One measurement, which takes some 0.3 s.

        Raises `TransientReadError` for noise and when called too soon, `PartFailed` where the sensor is silent or the
        process was lost, `NotReady` while there is none.
        """
        with self._lock:
            if not self._open:
                raise PartFailed(f"{self.name}: closed")
            self._rest.check()
            child = self._running()
            try:
                answer = child.ask(self._limits.read_s)
            except ChildLost as lost:
                self._lose(str(lost))
                raise PartFailed(f"{self.name}: its process {lost}") from None
            finally:
                self._rest.begin()
            try:
                values = checked(self.name, self._values(json.loads(answer)))
            except (TransientReadError, PartFailed):
                self._barren += 1
                if self._barren >= _BARREN_READS:
                    self._lose(f"was replaced: {self._barren} reads in a row failed")
                raise
            self._barren = 0
            self._backoff.reset()
            return values

    def close(self) -> None:
        self._open = False
        if child := self._child:
            child.kill()  # wakes a read that waits for it
        with self._lock:
            if self._child:
                self._child.kill()
                self._child.release()
                self._child = None

    def _begin(self, holder: Callable[[int], str | None], gpio: int) -> None:
        if who := holder(gpio):
            why = f"GPIO {gpio} is held by {who}; free it, or set hardware.climate.gpio to another pin"
            raise PartUnavailable(self.name, why)
        try:
            self._start()
            if not self._ready:
                raise PartUnavailable(self.name, f"its process is not ready after {self._limits.start_s:g} s")
        except PartUnavailable:
            self.close()
            raise

    def _start(self) -> None:
        self._child, self._ready = Child(self._command), False
        self._started_s = monotonic_s(self._clock)
        self._await_ready(self._limits.start_s if not self._trouble else self._limits.read_s)

    def _await_ready(self, limit_s: float) -> None:
        """Wait for the first line. Raises `PartUnavailable` where it says that the sensor cannot be opened."""
        if self._child is None:
            return
        try:
            line = self._child.poll(limit_s)
        except ChildLost as lost:
            raise PartUnavailable(self.name, f"its process {lost} before it was ready") from None
        if line is not None:
            answer = json.loads(line)
            if why := answer.get("unavailable"):
                raise PartUnavailable(self.name, " ".join(str(why).split()))
            self._ready = True

    def _running(self) -> Child:
        """The process, started anew where it was lost, as often as the backoff lets. Raises `NotReady`."""
        try:
            if self._child is None:
                wait_s = self._again_s - monotonic_s(self._clock)
                if wait_s > 0:
                    raise NotReady(f"{self.name}: its process {self._trouble}; the next one starts in {wait_s:.0f} s")
                self._start()
            elif not self._ready:
                self._await_ready(self._limits.read_s)
        except PartUnavailable as error:
            self._lose(str(error).removeprefix(f"{self.name}: "))
            raise PartFailed(str(error)) from error
        if self._child is None or not self._ready:
            if monotonic_s(self._clock) - self._started_s > self._limits.start_s:
                self._lose(f"was not ready within {self._limits.start_s:g} s")
            raise NotReady(f"{self.name}: its process starts")
        return self._child

    def _lose(self, trouble: str) -> None:
        # Once per change of state: a library that is broken for a week must not fill the log.
        log.log(logging.DEBUG if self._trouble else logging.WARNING, "%s: process %s", self.name, trouble)
        if self._child:
            self._child.kill()
            self._child.release()
        self._child, self._ready, self._trouble, self._barren = None, False, trouble, 0
        self._again_s = monotonic_s(self._clock) + self._backoff.next_s()

    def _values(self, answer: Mapping[str, Any]) -> dict[str, float]:
        if why := answer.get("noise"):
            self._silences = 0
            raise TransientReadError(f"{self.name}: {why}")
        if why := answer.get("silence"):
            # A single silence is a slow machine as often as a loose wire.
            self._silences += 1
            raise (TransientReadError if self._silences == 1 else PartFailed)(f"{self.name}: {why}")
        if why := answer.get("failed"):
            raise PartFailed(f"{self.name}: {why}")
        self._silences = 0
        self._trouble = ""
        return {name: float(answer[name]) for name in self.quantities}

"""What became of commands: told live, and asked for where the connection was away."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from shared.contract.payloads import FINAL_STATES, CommandResult, parse
from shared.errors import Code, Refusal

_KEPT = 2_000
_PATIENCE_S = 5.0
"""Beyond a command's time to live: the relay has a last word by then."""
_ASK_S = 0.5


class Results:
    """The newest result of each of the last commands at each device, whoever gave them."""

    def __init__(self) -> None:
        self._newest: OrderedDict[tuple[str, str], CommandResult] = OrderedDict()
        self._changed = threading.Condition()

    def put(self, result: CommandResult) -> None:
        """There is news."""
        key = (result.command, result.device)
        with self._changed:
            known = self._newest.pop(key, None)
            # An answer over HTTP may be older than what came live.
            final = known is not None and known.state in FINAL_STATES
            self._newest[key] = known if final and known is not None else result
            while len(self._newest) > _KEPT:
                self._newest.popitem(last=False)
            self._changed.notify_all()

    def of(self, command: str, devices: tuple[str, ...]) -> dict[str, CommandResult]:
        """Where a command stands, by device; those of which nothing is known are not in it."""
        with self._changed:
            found = {device: self._newest.get((command, device)) for device in devices}
        return {device: result for device, result in found.items() if result is not None}

    def wait(self, timeout_s: float) -> None:
        """Until there is news, for `timeout_s` at most."""
        with self._changed:
            self._changed.wait(timeout_s)


class Asked:
    """A command that the relay has on record."""

    def __init__(
        self,
        command: str,
        devices: tuple[str, ...],
        ttl_s: float,
        results: Results,
        ask: Callable[[str], Any],
        is_live: Callable[[], bool],
        away: Callable[[], None],
    ) -> None:
        """`ask(path)` gets from the relay's HTTP API; `is_live()` tells whether news come by themselves.

        `away()` is called once, when they no longer do.
        """
        self.command = command
        self.devices = devices
        self._ttl_s = ttl_s
        self._results = results
        self._ask = ask
        self._is_live = is_live
        self._away = away

    def wait(self, timeout_s: float | None = None) -> dict[str, CommandResult]:
        """The final result at each device, across restarts of the relay.

        `timeout_s`: by default the command's time to live and a little more. What is not final by then is left out: of
        it nobody knows, and `GET /api/commands/{id}` goes on telling.
        """
        for _ in self.news(timeout_s):
            pass
        known = self._results.of(self.command, self.devices)
        return {device: result for device, result in known.items() if result.state in FINAL_STATES}

    def news(self, timeout_s: float | None = None) -> Iterator[CommandResult]:
        """Each step at each device as it comes, until all are final or `timeout_s` has passed (as in `wait`)."""
        deadline = time.monotonic() + (self._ttl_s + _PATIENCE_S if timeout_s is None else timeout_s)
        told: dict[str, CommandResult] = {}
        asked_s = 0.0
        while True:
            for device, result in self._results.of(self.command, self.devices).items():
                if told.get(device) != result:
                    told[device] = result
                    yield result
            done = [result for result in told.values() if result.state in FINAL_STATES]
            left_s = deadline - time.monotonic()
            if len(done) == len(self.devices) or left_s <= 0:
                return
            if not self._is_live() and time.monotonic() - asked_s >= _ASK_S:
                if not asked_s:
                    self._away()
                asked_s = time.monotonic()
                self._catch_up()
            self._results.wait(min(left_s, _ASK_S))

    def _catch_up(self) -> None:
        try:
            found = self._ask(f"/api/commands/{self.command}")
        except Refusal as refusal:
            if refusal.code not in (Code.UNAVAILABLE, Code.UNKNOWN_COMMAND):
                raise
            return
        for body in found["results"]:
            self._results.put(parse(CommandResult, body))

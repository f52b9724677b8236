"""One thread that does what the relay asks of this agent itself, one thing at a time."""

import logging
import math
import queue
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from pi_agent.care.changes import ChangesFile, leaves, merged
from pi_agent.care.diagnostics import Diagnostics
from pi_agent.settings import PREFIX, AgentSettings, read_settings
from shared.contract.payloads import CareAction, CareRequest
from shared.errors import Code, Refusal
from shared.logs import LogLevel, set_level
from shared.settings import SettingsError, shown

log = logging.getLogger(__name__)

_MOST_WAITING = 4
LIVE = frozenset({"log.level"})
"""What takes effect without a restart."""
NEVER = ("relay.token", "relay.token_file", "device", "outbox.path")
"""What only somebody at the machine may change: whose it is, and where its memory lies."""


class Report(Protocol):
    """Where answers go. Must not block."""

    def __call__(self, request: str, fields: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True)
class Place:
    """Where the settings came from."""

    config: Path | None
    environ: Mapping[str, str]


class Care:
    """Takes requests from any thread, answers each once."""

    def __init__(
        self,
        settings: AgentSettings,
        place: Place,
        changes: ChangesFile,
        diagnostics: Diagnostics,
        report: Report,
        restart: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._place = place
        self._changes = changes
        self._diagnostics = diagnostics
        self._report = report
        self._restart = restart
        self.on_due: Callable[[], None] = lambda: None
        """Called on any thread when somebody has asked. Must not block."""
        self._waiting: queue.Queue[CareRequest] = queue.Queue(_MOST_WAITING)
        self._stopping = False

    def submit(self, request: CareRequest) -> Code:
        """Queue a request: `accepted`, or `queue_full`."""
        try:
            self._waiting.put_nowait(request)
        except queue.Full:
            return Code.QUEUE_FULL
        self.on_due()
        return Code.ACCEPTED

    def work(self) -> Iterator[float]:
        """Answer until `stop`."""
        while not self._stopping:
            try:
                self._answer(self._waiting.get_nowait())
            except queue.Empty:
                yield math.inf

    def stop(self) -> None:
        """Let `work` end."""
        self._stopping = True
        self.on_due()

    def _answer(self, request: CareRequest) -> None:
        """Whatever happens, it is an answer."""
        log.info("care: action=%s", request.action)
        try:
            said, then = self._do(request)
            answer = {"ok": True, "code": Code.ACCEPTED, "text": msgspec.json.encode(said).decode()}
        except (Refusal, SettingsError) as error:
            code = error.code if isinstance(error, Refusal) else Code.INVALID_SETTING
            words = error.message if isinstance(error, Refusal) else str(error)
            answer, then = {"ok": False, "code": code, "message": words[:500]}, None
        except Exception as error:  # the asker must hear of it; the fault is ours and is logged whole
            log.exception("care failed: action=%s", request.action)
            answer, then = {"ok": False, "code": Code.INTERNAL, "message": str(error)[:500]}, None
        self._report(request.request, answer)
        if then is not None:
            then()

    def _do(self, request: CareRequest) -> tuple[Any, Callable[[], None] | None]:
        """What is said, and what is done once that is on its way."""
        if request.action is CareAction.SETTINGS:
            return self._told(), None
        if request.action is CareAction.CHANGE:
            return self._change(request.change or {})
        if request.action is CareAction.LOG_LEVEL:
            set_level(LogLevel(request.level or LogLevel.INFO))
            return {"level": request.level or LogLevel.INFO}, None
        if request.action is CareAction.RESTART:
            return {"restart": True}, self._restart
        return self._diagnostics.collect(self._told()), None

    def _told(self) -> dict[str, Any]:
        """The settings in use, without secrets, and what of them was changed from afar."""
        changes = self._changes.read()
        return {
            "settings": shown(msgspec.to_builtins(self._settings)),
            "changed": shown(changes.settings),
            "on_trial": changes.before is not None,
            "undone": changes.undone,
        }

    def _change(self, change: Mapping[str, Any]) -> tuple[Any, Callable[[], None] | None]:
        asked = leaves(change)
        for name in asked:
            if name.startswith(NEVER):
                raise Refusal(Code.FORBIDDEN, f"{name} is changed at the machine alone")
            variable = PREFIX + name.upper().replace(".", "__")
            if variable in self._place.environ:
                raise Refusal(Code.CONFLICT, f"{name} is set by the variable {variable} at the machine, which wins")
        if not asked:
            raise Refusal(Code.INVALID_PAYLOAD, 'nothing to change: {"sample_interval_s": 10}')
        known = self._changes.read()
        if known.before is not None:
            # It would silently take the other one's place.
            raise Refusal(Code.BUSY, "another change is on trial; ask again once the agent is back with it")
        wanted = merged(known.settings, change)
        # Raises where the whole would not be settings.
        settings = read_settings(self._place.config, self._place.environ, wanted)
        if asked.keys() <= LIVE:
            self._changes.keep(change)
            self._settings = settings
            set_level(settings.log.level)
            return {"changed": shown(asked), "restart": False}, None
        self._changes.try_out(change)
        return {"changed": shown(asked), "restart": True}, self._restart

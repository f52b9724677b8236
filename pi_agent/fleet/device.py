"""One device of a fleet: its directory, and the agent that works there, from one life to the next."""

import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_agent.care.changes import merged
from pi_agent.fleet.crew import Crew, Errand
from pi_agent.fleet.line import Wire
from pi_agent.jobs.schedule import Planner
from pi_agent.settings import read_settings
from pi_agent.start import start
from pi_agent.workers import Work
from shared.clock import Clock

if TYPE_CHECKING:
    from pi_agent.app import Agent

log = logging.getLogger(__name__)

CONFIG = "agent.toml"
_OUTBOX = "outbox.db"
_LAST_WORDS_S = 5.0
"""Longer than an agent alone takes: a thousand end at once."""


@dataclass(frozen=True)
class Crews:
    """The threads of a fleet, by what their loops do: a slow disk holds no ack up, and training nobody."""

    talk: Crew
    disk: Crew
    slow: Crew

    def of(self, loop: str) -> Crew:
        """The crew of a loop, by its name."""
        return {"outbox": self.disk, "commands": self.disk, "training": self.slow, "care": self.slow}.get(
            loop, self.talk
        )

    def all(self) -> tuple[Crew, ...]:
        """Each of them."""
        return (self.talk, self.disk, self.slow)


@dataclass
class _Team:
    """Who works for one life of one agent."""

    crews: Crews
    errands: list[Errand] = field(default_factory=list)

    def hire(self, name: str, work: Work, clock: Clock, silence_s: float = float("inf")) -> Errand:
        errand = self.crews.of(name).hire(name, work, clock, silence_s)
        self.errands.append(errand)
        return errand

    def let_go(self) -> None:
        for errand in self.errands:
            errand.let_go()
        for errand in self.errands:
            errand.join(None)


class Device:
    """Its methods are for one thread at a time; the properties may be read from any."""

    def __init__(
        self,
        name: str,
        directory: Path,
        environ: Mapping[str, str],
        clock: Clock,
        wire: Wire,
        crews: Crews,
        planner: Planner,
    ) -> None:
        """`directory` holds its settings (`write_settings`), and will hold all that it keeps."""
        self.name = name
        self.busy = False
        """True while somebody starts or ends it."""
        self.down = False
        """True from a kill until the next life has begun."""
        self.wire = wire
        self.agent: Agent | None = None
        self.trouble: str | None = None
        """What broke in its last life."""
        self._config = directory / CONFIG
        # systemd's word for where things are kept, as the agent finds it on a Pi.
        self._environ = {**environ, "STATE_DIRECTORY": str(directory)}
        self._clock = clock
        self._crews = crews
        self._planner = planner
        self._team = _Team(crews)
        self._taken: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._left = 0

    @property
    def taken(self) -> Counter[str]:
        """Events that were given an id and are on disk, by name, since the fleet began."""
        agent = self.agent
        return self._taken if agent is None else self._taken + agent.outbox.taken

    @property
    def dropped(self) -> Counter[str]:
        """Events given up on record, by reason, since the fleet began."""
        agent = self.agent
        return self._dropped if agent is None else self._dropped + agent.outbox.dropped

    @property
    def waiting(self) -> int:
        """Events that the relay has not acked."""
        agent = self.agent
        return self._left if agent is None else agent.outbox.depth

    @property
    def joined(self) -> bool:
        """True while the relay has admitted it."""
        agent = self.agent
        return agent is not None and agent.joined

    def start(self) -> None:
        """Begin a life. Raises `SettingsError`, or `OSError` for its files."""
        # Only now: it imports the libraries, which `start` loads lean.
        settings = read_settings(self._config, self._environ)
        self._team = _Team(self._crews)
        agent = start(settings, self._config, self._environ, self._clock, self._means())
        with self.wire.lock:
            self.wire.seen.begin(agent.outbox.stream, agent.outbox.low - 1)
        agent.begin()
        self.agent, self.down = agent, False

    def look(self) -> bool:
        """About once a second: true when its life must end and another one begin; `trouble` says what broke."""
        agent = self.agent
        if agent is None or self.busy:
            return False
        with self.wire.lock:
            self.wire.seen.forget_through(agent.outbox.low - 1)
        self.trouble = agent.look()
        if self.trouble:
            log.error("%s: agent breaks: %s", self.name, self.trouble)
        return agent.restart or self.trouble is not None

    def die(self) -> int:
        """End without a word. Returns how many events were not on disk yet, and are lost."""
        agent = self.agent
        if agent is None:
            return 0
        self.down = True
        self._team.let_go()
        self.wire.cut()
        gone = agent.die()
        self._close(agent)
        return gone

    def end(self, *, hurry: bool = False) -> None:
        """End in order: everything off, what is left on disk; in a hurry nobody waits for the relay."""
        if (agent := self.agent) is not None:
            agent.end(0.0 if hurry else _LAST_WORDS_S)
            self._close(agent)

    def _close(self, agent: "Agent") -> None:
        self._left = agent.outbox.depth
        self._taken += agent.outbox.taken
        self._dropped += agent.outbox.dropped
        self.agent = None

    def _means(self) -> Any:
        from pi_agent.app import Means

        return Means(self._team.hire, self._planner, self.wire.dial)


def write_settings(directory: Path, common: Mapping[str, Any], own: Mapping[str, Any], token: str | None) -> None:
    """Make a device's directory with its settings: those that all have in `common`, and over them its `own`.

    `pi-agent run --config` runs the same device alone.
    """
    directory.mkdir(parents=True, exist_ok=True)
    relay = {"token_file": str(directory / "token")} if token else {}
    if token:
        (directory / "token").touch(0o600)
        (directory / "token").write_text(token + "\n", encoding="utf-8")
    shared = {name: value for name, value in common.items() if name != "relay"}
    tree = merged(merged(shared, own), {"outbox": {"path": str(directory / _OUTBOX)}, "relay": relay})
    (directory / CONFIG).write_text("\n".join(_toml(tree)) + "\n", encoding="utf-8")


def _toml(tree: Mapping[str, Any], path: str = "") -> list[str]:
    """`tree` as TOML: whose strings, numbers, booleans and lists of them are written as in JSON."""
    lines = [f"[{path}]"] if path else []
    lines += [f"{name} = {_value(value)}" for name, value in tree.items() if not isinstance(value, Mapping)]
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            lines += _toml(value, f"{path}.{name}" if path else name)
    return lines


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_value(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    return json.dumps(value)

"""The composition root: builds everything from the settings, starts and stops it in order, and watches it."""

import logging
import math
import secrets
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pi_agent.accessories.build import build_accessories
from pi_agent.accessories.commands import Commands
from pi_agent.accessories.journal import Journal
from pi_agent.accessories.recovery import reconcile
from pi_agent.care.care import Care, Place
from pi_agent.care.changes import ChangesFile
from pi_agent.care.diagnostics import Diagnostics
from pi_agent.hardware.factory import Parts, build_parts
from pi_agent.hello import say_hello
from pi_agent.jobs.learning import Learning
from pi_agent.jobs.past import simulated_past
from pi_agent.jobs.sampling import budget_s, probes, sample_sensors
from pi_agent.jobs.schedule import Planner, Schedule
from pi_agent.jobs.status import report_status
from pi_agent.outbox.files import Files
from pi_agent.outbox.outbox import Outbox
from pi_agent.outbox.reserve import Reserve
from pi_agent.settings import AgentSettings, journal_path, outbox_path, read_token
from pi_agent.training.options import beside
from pi_agent.uplink.link import Link
from pi_agent.uplink.live import LiveLane, LiveSender
from pi_agent.uplink.sender import OutboxSender
from pi_agent.uplink.statuses import Statuses
from pi_agent.uplink.uplink import Dial, Uplink
from pi_agent.workers import Hand, Hire, Worker
from shared.backoff import Backoff
from shared.clock import Clock, monotonic_s
from shared.contract.events import CARE_PUB_PI, MOTION_PUB_PI
from shared.errors import Code
from shared.sdnotify import notify, watchdog_interval_s

log = logging.getLogger(__name__)

_TICK_S = 1.0
_SILENCE_S = 90.0
"""Longer than any single wait in a loop, a slow memory card included."""
_FROZEN_S = 10.0
# Together less than the 5 s in which an agent must have ended.
_STOP_COMMANDS_S = 1.0
_STOP_JOBS_S = 0.5
_STOP_TRAINING_S = 0.5
_LAST_WORDS_S = 0.5
_STOP_UPLINK_S = 1.0
_STOP_OUTBOX_S = 1.2
_POLL_S = 0.02


@dataclass(frozen=True)
class Means:
    """What an agent works with: threads and connections of its own, or those that many agents share."""

    hire: Hire = Worker
    planner: Planner | None = None
    """None: one of its own."""
    dial: Dial = Link


ALONE = Means()


class Agent:
    """One running agent: `run` once; or `begin`, `look` about once a second, then `end` or `die`."""

    def __init__(
        self,
        settings: AgentSettings,
        parts: Parts,
        outbox: Outbox,
        journal: Journal,
        learning: Learning,
        clock: Clock,
        token: str | None,
        place: Place,
        means: Means = ALONE,
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._outbox = outbox
        self._journal = journal
        self._learning = learning
        self._clock = clock
        self.ended = False
        """After `run`: whether every thread has ended. One that has not would keep the interpreter from ending."""
        self.trouble: str | None = None
        """After `run`: what broke; None when it was asked to end."""
        self.restart = False
        """After `run`: whether it ended to be started again."""
        self._stopping = threading.Event()
        self._lane = LiveLane(clock)
        device = settings.device_name
        options = settings.uplink
        self._sender = OutboxSender(outbox, device, clock, options.window, Backoff(longest_s=options.longest_delay_s))
        accessories = build_accessories(settings, parts, self._keep_motion, clock)
        self._commands = Commands(accessories, Statuses(outbox, self._lane, self._sender), clock, journal)
        path = outbox_path(settings.outbox, place.environ)
        self._changes = ChangesFile(path.parent)
        on_trial = self._changes.read().before is not None
        self._trial_ends_s = monotonic_s(clock) + settings.care.trial_s if on_trial else None
        diagnostics = Diagnostics(path, place.config, clock, lambda: outbox.depth)
        self._care = Care(settings, place, self._changes, diagnostics, self._tell_care, self.request_restart)
        run, infos = secrets.token_urlsafe(12), self._commands.infos()
        self._uplink = Uplink(
            settings.relay.url,
            lambda door: say_hello(settings, token, outbox.stream, clock, run, infos, door),
            self._sender,
            LiveSender(self._lane, device, clock),
            self._commands,
            clock,
            heartbeat_interval_s=settings.heartbeat_interval_s,
            # What a relay hears first is how things are now.
            on_joined=self._commands.want_report,
            on_train=learning.train,
            on_care=self._care.submit if settings.care.enabled else lambda _: Code.FORBIDDEN,
            longest_delay_s=options.longest_delay_s,
            start_jitter_s=options.start_jitter_s,
            join_timeout_s=options.join_timeout_s,
            replaced_delay_s=options.replaced_delay_s,
            dial=means.dial,
        )
        outbox.on_commit = self._uplink.wake
        outbox.on_kept = journal.finish
        self._lane.on_put = self._uplink.wake
        self._schedule = self._jobs(means.planner)
        self._writer = means.hire("outbox", outbox.work, clock, _SILENCE_S)
        self._driver = means.hire("commands", self._commands.work, clock, _SILENCE_S)
        self._talker = means.hire("uplink", self._uplink.work, clock, _SILENCE_S)
        self._learner = means.hire("training", learning.runner.work, clock, _SILENCE_S)
        self._carer = means.hire("care", self._care.work, clock, _SILENCE_S)
        self._workers = [self._writer, self._driver, self._talker, self._learner, self._carer]
        self._planner: Hand | None = None
        if means.planner is None:
            # Waits by itself, however long nothing is planned.
            self._planner = means.hire("jobs", self._schedule.planner.work, clock, math.inf)
            self._workers.append(self._planner)
        outbox.on_due = self._writer.wake
        self._commands.on_due = self._driver.wake
        self._uplink.on_due = self._talker.wake
        learning.runner.on_due, learning.runner.on_step = self._learner.wake, self._learner.beat
        self._care.on_due = self._carer.wake
        self._seen_s = 0.0

    def run(self) -> int:
        """Work until SIGTERM or SIGINT: 0; or until something breaks: 1. Outputs are off afterwards."""
        self._watch_signals()
        self.begin()
        notify("READY=1")
        self.trouble = self._watch()
        if self.trouble:
            log.error("agent ends: %s", self.trouble)
        notify("STOPPING=1")
        self.end()
        return 1 if self.trouble else 0

    def begin(self) -> None:
        """Start to work."""
        for worker in self._workers:
            worker.start()
        self._seen_s = monotonic_s(self._clock)
        log.info(
            "agent runs: device=%s relay=%s mode=%s stream=%s waiting=%d",
            self._settings.device_name,
            self._settings.relay.url,
            self._settings.hardware.mode,
            self._outbox.stream,
            self._outbox.depth,
        )

    def look(self) -> str | None:
        """Follow the clock, and settings on trial. Returns what broke; None while all is well."""
        now = monotonic_s(self._clock)
        if now - self._seen_s > _FROZEN_S:
            log.warning("process was stopped for %.0f s", now - self._seen_s)
            self._excuse()
        self._seen_s = now
        if trouble := self._trouble():
            return trouble
        self._schedule.follow_clock()
        self._try_changes(now)
        return None

    @property
    def joined(self) -> bool:
        """True while the relay has admitted it."""
        return self._uplink.joined

    @property
    def outbox(self) -> Outbox:
        """What it has taken and what waits, to look at."""
        return self._outbox

    def request_stop(self) -> None:
        """Have `run` end as on SIGTERM."""
        self._stopping.set()

    def request_restart(self) -> None:
        """Have `run` end so that the agent is started again."""
        self.restart = True
        self._stopping.set()

    # --- what there is ------------------------------------------------------------------------------------------

    def _keep_motion(self, motion: bool, count: int, monotonic_ns: int) -> None:
        self._outbox.append(MOTION_PUB_PI, {"motion": motion, "count": count}, monotonic_ns)
        if motion:
            self._learning.moved()

    def _tell_care(self, request: str, fields: Mapping[str, Any]) -> None:
        self._lane.answer(CARE_PUB_PI, {"request": request, **fields})

    def _jobs(self, planner: Planner | None) -> Schedule:
        settings = self._settings
        sensors = probes(self._parts.sensors, settings.hardware, self._clock)
        budget = budget_s(settings.sample_interval_s)
        schedule = Schedule(self._clock, planner)
        schedule.every(
            settings.sample_interval_s,
            "sample",
            lambda: sample_sensors(sensors, self._learning, self._clock, budget, self._stopping.wait),
        )
        schedule.every(settings.status_interval_s, "status", lambda: report_status(self._commands))
        self._learning.plan(schedule)
        return schedule

    # --- watching -----------------------------------------------------------------------------------------------

    def _watch_signals(self) -> None:
        # After the parts: a driver's library may have installed a handler of its own, which would skip all this.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())

    def _watch(self) -> str | None:
        """Wait for the end; returns what broke, None when it was asked for."""
        pet_s = watchdog_interval_s()
        petted_s = monotonic_s(self._clock)
        tick_s = min(_TICK_S, self._schedule.shortest_period_s)
        while not self._stopping.wait(tick_s):
            if trouble := self.look():
                return trouble
            now = monotonic_s(self._clock)
            if pet_s is not None and now - petted_s >= min(pet_s, tick_s):
                notify("WATCHDOG=1")
                petted_s = now
        return None

    def _try_changes(self, now_s: float) -> None:
        """Settings from afar stay once the relay was met with them; else they are taken back."""
        if self._trial_ends_s is None:
            return
        if self._uplink.joined:
            self._trial_ends_s = None
            self._changes.confirm()
        elif now_s >= self._trial_ends_s:
            self._trial_ends_s = None
            self._changes.undo(f"the relay was not reached within {self._settings.care.trial_s:g} s")
            self.request_restart()

    def _trouble(self) -> str | None:
        return next((trouble for worker in self._workers if (trouble := worker.trouble())), self._schedule.trouble())

    def _excuse(self) -> None:
        """A frozen process must not take its threads for hung ones when it goes on."""
        for worker in self._workers:
            worker.excuse()
        self._schedule.excuse()

    def die(self) -> int:
        """Be gone as after a power cut, once nobody works for it any more. Returns how many events had no id yet."""
        self._stopping.set()
        self._schedule.stop()
        # A job that is under way would find its files closed.
        self._within(_STOP_JOBS_S, lambda: self._schedule.idle)
        self._parts.close()
        lost = self._outbox.forget_drafts()
        self._outbox.close()
        self._journal.close()
        self._learning.close()
        return lost

    def end(self, last_words_s: float = _LAST_WORDS_S) -> None:
        """Outputs off first; what that changes is still kept, and sent where the relay listens, for `last_words_s`."""
        self._stopping.set()
        self._schedule.stop()
        self._learning.runner.stop()
        self._care.stop()
        self._commands.stop()
        if not self._driver.join(_STOP_COMMANDS_S):
            log.error("accessories do not stop; their parts are closed under them")
        # A part that is closed while it is read would look like one that failed.
        idle = self._within(_STOP_JOBS_S, lambda: self._schedule.idle) and (
            self._planner is None or self._planner.join(_STOP_JOBS_S)
        )
        trained = self._learner.join(_STOP_TRAINING_S)
        self._parts.close()
        self._within(last_words_s, lambda: not (self._uplink.joined and self._outbox.depth))
        self._uplink.stop(ending=self.trouble is None)
        silent = self._talker.join(_STOP_UPLINK_S)
        self._outbox.stop()
        kept = self._writer.join(_STOP_OUTBOX_S)
        if kept and silent:
            self._outbox.close()
            self._journal.close()
        if idle and trained:
            self._learning.close()
        self.ended = kept and silent and idle and trained
        log.info("agent ended: waiting=%d", self._outbox.depth)

    def _within(self, limit_s: float, done: Callable[[], bool]) -> bool:
        deadline_s = monotonic_s(self._clock) + limit_s
        while not done():
            if monotonic_s(self._clock) >= deadline_s:
                return False
            time.sleep(_POLL_S)
        return True


def build_agent(
    settings: AgentSettings,
    environ: Mapping[str, str],
    clock: Clock,
    config: Path | None = None,
    means: Means = ALONE,
) -> Agent:
    """Open outbox and parts. `config` is the file that the settings came from.

    Raises `SettingsError`, `PartUnavailable`, or `OSError` for the outbox.
    """
    token = read_token(settings.relay)
    path = outbox_path(settings.outbox, environ)
    with ExitStack() as opened:
        files = Files(path, clock)
        opened.callback(files.close)
        journal = Journal(journal_path(path), clock)
        opened.callback(journal.close)
        parts = build_parts(settings.hardware, clock, settings.accessories, hire=means.hire)
        opened.pop_all()
    outbox = Outbox(
        files,
        clock,
        max_bytes=settings.outbox.max_bytes,
        max_age_s=settings.outbox.max_age_s,
        reserve=Reserve(path.with_suffix(".reserve"), settings.outbox.reserve_bytes),
    )
    reconcile(journal, outbox)
    taught, past = beside(path, settings.hardware.mode), simulated_past(settings.hardware.simulation, clock)
    learning = Learning(taught, settings.training, settings.sample_interval_s, outbox, clock, past)
    return Agent(settings, parts, outbox, journal, learning, clock, token, Place(config, environ), means)

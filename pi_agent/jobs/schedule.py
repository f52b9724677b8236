"""When jobs run. The only file that knows APScheduler.

APScheduler 3 plans in wall time. Set back by an hour, it runs nothing for that hour; set forward by fifty years (a Pi
without a clock of its own gets the time from the network), it would count every missed run. Here the plan is monotonic:
a trigger that derives each wall time anew from it, and `follow_clock`, which moves the plan when the wall clock jumps.
"""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from apscheduler.executors.base import BaseExecutor
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.base import BaseTrigger

from shared.clock import Clock, monotonic_s

log = logging.getLogger(__name__)

_THREADS = 2
"""One job that hangs on a slow part must not keep the other from running."""
_JUMP_S = 0.5
"""The wall clock is being nudged all the time; a plan is moved when it is off by more, or by half a period."""
_NUDGE_S = 0.1
"""The plan is compared with the clock when that has moved by so much, all at once or little by little."""
_STUCK_PERIODS = 3
_STUCK_S = 60.0


class _Steady(BaseTrigger):  # type: ignore[misc]  # the library is not typed
    """Every `period_s` of monotonic time, on a fixed grid. Never in the past, so that nothing piles up."""

    def __init__(self, clock: Clock, period_s: float) -> None:
        self.period_s = period_s
        self._clock = clock
        self._start_s = monotonic_s(clock)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        elapsed_s = monotonic_s(self._clock) - self._start_s
        periods = elapsed_s / self.period_s
        if previous_fire_time is None:
            # The plan is made anew: a run that is due just now must not be skipped.
            remaining_s = (math.ceil(periods) - periods) * self.period_s
        else:
            # A run that was a little early (timers may be) must not be repeated.
            remaining_s = (math.floor(periods + 0.1) + 1 - periods) * self.period_s
        return now + timedelta(seconds=remaining_s)


@dataclass
class _Job:
    """One job, and how it is doing."""

    name: str
    work: Callable[[], None]
    period_s: float
    trigger: _Steady
    clock: Clock
    done_s: float
    error: BaseException | None = None
    running: bool = False
    key: str = ""
    """The library's name for it."""

    def run(self) -> None:
        self.running = True
        try:
            self.work()
        except Exception as error:
            # The thread is the library's; whoever watches the schedule ends the process.
            log.exception("job failed: name=%s", self.name)
            self.error = error
        self.done_s = monotonic_s(self.clock)
        self.running = False


class Planner:
    """The library's scheduler, with the threads that jobs run on. A schedule has its own, or many share one."""

    def __init__(self, threads: int = _THREADS, executor: BaseExecutor | None = None) -> None:
        """`executor`: for tests."""
        pool = executor or ThreadPoolExecutor(threads, pool_kwargs={"thread_name_prefix": "jobs"})
        # Blocking: its thread is ours to name, watch and join.
        self.scheduler = BlockingScheduler(
            executors={"default": pool},
            # A late run is run: the grace is ours (`_Steady` plans one at a time), not a wall-clock difference.
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
            timezone="UTC",
        )

    def work(self) -> Iterator[float]:
        """Start what is due, until `stop`: it waits by itself."""
        self.scheduler.start()
        yield from ()

    def stop(self) -> None:
        """Start no more runs. One that hangs is left behind."""
        if self.scheduler.running:
            self.scheduler.shutdown(wait=False)


class Schedule:
    """Runs jobs at fixed periods, whatever the wall clock does."""

    def __init__(self, clock: Clock, planner: Planner | None = None) -> None:
        """`planner`: one that many share, and that somebody else has work; by default `planner` is its own."""
        self._clock = clock
        self._shared = planner is not None
        self.planner = planner or Planner()
        self._jobs: list[_Job] = []
        self._ahead_s = -math.inf
        """Of the wall clock, before the monotonic one, when the plan was last found right."""

    def every(self, period_s: float, name: str, work: Callable[[], None]) -> None:
        """Run `work` now and then every `period_s`. A run that is not over is not started a second time."""
        trigger = _Steady(self._clock, period_s)
        job = _Job(name, work, period_s, trigger, self._clock, monotonic_s(self._clock))
        self._jobs.append(job)
        job.key = self.planner.scheduler.add_job(job.run, trigger, name=name, next_run_time=self._now()).id

    def follow_clock(self) -> None:
        """Move the plan when the wall clock has jumped. Call it at least once per shortest period."""
        now = self._now()
        ahead_s = now.timestamp() - monotonic_s(self._clock)
        # To compare the plan itself costs ten times as much, once a second, and finds nothing while no clock was set.
        if abs(ahead_s - self._ahead_s) < min(_NUDGE_S, self.shortest_period_s / 10):
            return
        right_already = True
        for job in self._jobs:
            planned = self.planner.scheduler.get_job(job.key)
            right = job.trigger.get_next_fire_time(None, now)
            off_s = abs((planned.next_run_time - right).total_seconds()) if planned else 0.0
            # By one period it may be off when a run is just being started.
            if min(off_s, abs(off_s - job.period_s)) > min(_JUMP_S, job.period_s / 2):
                log.warning("wall clock jumped by %.1f s: job %s planned anew", off_s, job.name)
                self.planner.scheduler.modify_job(job.key, next_run_time=right)
                right_already = False
        if right_already:
            # Only now: the library may just have been planning in the old time.
            self._ahead_s = ahead_s

    @property
    def shortest_period_s(self) -> float:
        """The period of the job that runs most often."""
        return min((job.period_s for job in self._jobs), default=_STUCK_S)

    def trouble(self) -> str | None:
        """Why the schedule cannot be relied on any more; None while it works."""
        for job in self._jobs:
            if job.error is not None:
                return f"job {job.name} failed: {job.error}"
            late_s = monotonic_s(self._clock) - job.done_s
            if late_s > job.period_s * _STUCK_PERIODS + _STUCK_S:
                return f"job {job.name} has not ended for {late_s:.0f} s"
        return None

    @property
    def idle(self) -> bool:
        """True while no job runs."""
        return not any(job.running for job in self._jobs)

    def excuse(self) -> None:
        """The whole process was stopped for a while: begin to count again."""
        for job in self._jobs:
            job.done_s = monotonic_s(self._clock)

    def stop(self) -> None:
        """Start no more runs. One that hangs is left behind."""
        if not self._shared:
            self.planner.stop()
            return
        for job in self._jobs:
            with suppress(JobLookupError):
                self.planner.scheduler.remove_job(job.key)

    def _now(self) -> datetime:
        # The library reads the wall clock itself; the plan must be in its time, not in that of a test.
        return datetime.now(self.planner.scheduler.timezone)

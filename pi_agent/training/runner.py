"""Who trains: one job at a time, on a thread of its own, told step by step; a model that it makes serves at once."""

import logging
import math
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pi_agent.training.climate import SLOTS_PER_DAY, Series, slot_begin
from pi_agent.training.job import Outcome, run_child
from pi_agent.training.model import ForecastModel
from pi_agent.training.store import ModelStore, is_full
from pi_agent.training.trainer import MOST_DAYS
from shared.clock import Clock, monotonic_s
from shared.contract.payloads import TrainingPhase, TrainingReason, TrainingTrigger
from shared.model_file import ModelRefused

log = logging.getLogger(__name__)

_SLOTS: Final = (MOST_DAYS + 1) * SLOTS_PER_DAY

News = Callable[[Mapping[str, Any]], None]
"""Takes the body of a `ModelTrain`, without what the outbox adds."""
Run = Callable[[Series, Clock, Callable[[float], None], Callable[[], bool]], Outcome]


@dataclass(frozen=True)
class _Job:
    name: str
    trigger: TrainingTrigger
    command: str | None


class TrainingRunner:
    """Runs the training jobs of one agent."""

    def __init__(
        self,
        history: Callable[[], Series],
        store: ModelStore,
        clock: Clock,
        news: News,
        serve: Callable[[int, ForecastModel], None],
        run: Run = run_child,
    ) -> None:
        """`news` hears of every step, `serve` gets each new model with its version; both on the runner's thread."""
        self._history = history
        self._store = store
        self._clock = clock
        self._news = news
        self._serve = serve
        self._run = run
        self.on_due: Callable[[], None] = lambda: None
        """Called on any thread when there is a job. Must not block."""
        self.on_step: Callable[[], None] = lambda: None
        """Called again and again while a job runs."""
        self._lock = threading.Lock()
        self._wanted: _Job | None = None
        self._stopping = False
        self._serving = 0

    def refresh(self) -> None:
        """Serve the model that the store names, where it is another one: somebody trained, or went back, outside."""
        version = self._store.serving()
        if version is not None and version.model is not None and version.number != self._serving:
            self._serving = version.number
            log.info("model serves: version=%d days=%.1f", version.number, version.model.days)
            self._serve(version.number, version.model)

    def request_training(self, trigger: TrainingTrigger, command: str | None = None) -> str | None:
        """Have a job begin soon, for `command` where there is one.

        Returns its id; None while another one runs or waits, or when the agent ends. Safe on any
        thread; never blocks.
        """
        with self._lock:
            if self._wanted is not None or self._stopping:
                return None
            self._wanted = _Job(secrets.token_urlsafe(9), trigger, command)
            self.on_due()
            return self._wanted.name

    @property
    def busy(self) -> bool:
        """True while a job runs or waits."""
        return self._wanted is not None

    def work(self) -> Iterator[float]:
        """Do the jobs as they come, until `stop`."""
        while not self._stopping:
            if (job := self._wanted) is not None:
                self.train(job.name, job.trigger, job.command)
                self._wanted = None
            yield 0.0 if self._wanted else math.inf

    def stop(self) -> None:
        """Start no more jobs; the one that runs ends within moments, with an outcome."""
        with self._lock:
            self._stopping = True
            self.on_due()

    def train(
        self,
        job: str,
        trigger: TrainingTrigger,
        command: str | None = None,
    ) -> Outcome:
        """Do one job now, on this thread. Whatever happens, its news end with finished, skipped or failed."""
        began_s = monotonic_s(self._clock)
        series = self._history()
        last_days = series.part(max(0, len(series) - _SLOTS), len(series))

        def tell(phase: TrainingPhase, **more: Any) -> None:
            going = phase in (TrainingPhase.STARTED, TrainingPhase.PROGRESS)
            asked = {"command": command} if command else {}
            self._news({"status": going, "job": job, "trigger": trigger, "phase": phase} | asked | more)

        def stopping() -> bool:
            self.on_step()
            return self._stopping

        tell(TrainingPhase.STARTED, progress=0.0)
        outcome = self._run(
            last_days, self._clock, lambda share: tell(TrainingPhase.PROGRESS, progress=share), stopping
        )
        version = None
        if outcome.model is not None:
            outcome, version = self._keep(outcome, outcome.model)
        duration_s = round(monotonic_s(self._clock) - began_s, 2)
        tell(outcome.phase, duration_s=duration_s, **_fields(outcome, version))
        log.info(
            "training %s: job=%s trigger=%s version=%s reason=%s duration_s=%.1f %s",
            outcome.phase,
            job,
            trigger,
            version,
            outcome.reason,
            duration_s,
            outcome.message,
        )
        return outcome

    def _keep(self, outcome: Outcome, model: ForecastModel) -> tuple[Outcome, int | None]:
        """Store and serve `model`; what became of it."""
        try:
            version = self._store.add(model)
        except ModelRefused as refused:
            return _not_kept(outcome, TrainingReason.MODEL_REFUSED, str(refused)), None
        except OSError as error:
            reason = TrainingReason.DISK_FULL if is_full(error) else TrainingReason.NOT_STORED
            return _not_kept(outcome, reason, str(error)), None
        self._serving = version
        self._serve(version, model)
        return outcome, version


def _not_kept(outcome: Outcome, reason: TrainingReason, message: str) -> Outcome:
    return Outcome(TrainingPhase.FAILED, reason=reason, message=message, peak_rss_bytes=outcome.peak_rss_bytes)


def _fields(outcome: Outcome, version: int | None) -> dict[str, Any]:
    """What the last news of a job carry beside their phase."""
    fields: dict[str, Any] = {}
    if outcome.reason is not None:
        fields["reason"] = outcome.reason
    if outcome.peak_rss_bytes is not None:
        fields["peak_rss_bytes"] = outcome.peak_rss_bytes
    if outcome.model is None or version is None:
        return fields
    model = outcome.model
    horizons = [
        {
            "quantity": horizon.quantity,
            "minutes": horizon.minutes,
            "mae": round(horizon.mae, 4),
            "mae_persistence": round(horizon.mae_persistence, 4),
            "gate": horizon.gate,
        }
        for horizon in model.horizons
    ]
    plot = [
        {
            "quantity": curve.quantity,
            "at_ms": [round(slot_begin(slot).timestamp() * 1000) for slot, _, _ in curve.points],
            "truth": [truth for _, truth, _ in curve.points],
            "forecast": [value for _, _, value in curve.points],
        }
        for curve in outcome.curves
    ]
    return fields | {
        "model_version": version,
        "samples": model.samples,
        "days": model.days,
        "horizons": horizons,
        "plot": plot,
    }

"""What the relay counts, for Prometheus."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from shared import VERSION
from shared.contract.payloads import CommandResult
from shared.errors import Code


class Metrics:
    """The counters of one relay, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._events = Counter(
            "breathlight_events", "Events taken in, by outcome.", ["namespace", "event", "code"], registry=self.registry
        )
        self._taken: Tally[tuple[str, str, Code]] = Tally()
        """What has come since somebody last asked: each event would cost a look-up by labels and a lock."""
        self._refusals = Counter(
            "breathlight_refusals", "Events and requests refused.", ["door", "code"], registry=self.registry
        )
        self._commands = Counter(
            "breathlight_commands", "Final results of commands.", ["action", "state", "code"], registry=self.registry
        )
        self._command_s = Histogram(
            "breathlight_command_seconds",
            "From a command's start to its read-back.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        Gauge("breathlight_info", "The running version.", ["version"], registry=self.registry).labels(VERSION).set(1)

    def event(self, door: str, event: str, code: Code) -> None:
        """An event of the catalogue was taken in."""
        self._taken[door, event, code] += 1

    def refusal(self, door: str, code: Code) -> None:
        """An event or a request was refused. Names that peers make up are not labels: they have no bound."""
        self._refusals.labels(door, code).inc()

    def command(self, result: CommandResult) -> None:
        """A command has its final result at one device."""
        self._commands.labels(result.action, result.state, result.code).inc()
        if result.elapsed_ms is not None and result.code is Code.VERIFIED:
            self._command_s.observe(result.elapsed_ms / 1e3)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A gauge that is read when somebody asks."""
        Gauge(f"breathlight_{name}", text, registry=self.registry).set_function(value)

    def watch_each(self, name: str, text: str, label: str, values: Callable[[], Mapping[str, float]]) -> None:
        """A gauge per value of a label, read when somebody asks."""
        self.registry.register(_Each(f"breathlight_{name}", text, label, values))

    def text(self) -> bytes:
        """The exposition format."""
        taken, self._taken = self._taken, Tally()
        for labels, count in taken.items():
            self._events.labels(*labels).inc(count)
        return generate_latest(self.registry)


class _Each(Collector):
    """Gauges that come and go with what they tell of."""

    def __init__(self, name: str, text: str, label: str, values: Callable[[], Mapping[str, float]]) -> None:
        self._name = name
        self._text = text
        self._label = label
        self._values = values

    def collect(self) -> Iterable[Metric]:
        """See `Collector`."""
        family = GaugeMetricFamily(self._name, self._text, labels=[self._label])
        for key, value in self._values().items():
            family.add_metric([key], value)
        yield family

"""What a fleet has seen of its relay: acks and how long they took, refusals, commands."""

import math
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable

_PER_DOUBLING = 8
"""Steps of a latency, so that one is told within 5 % of what it was."""
_FINEST_MS = 0.125
_COMMANDS_REMEMBERED = 1000


class Latencies:
    """How long acks took: all of them, and those of the last seconds."""

    def __init__(self, window: int = 10) -> None:
        """`window`: how many calls of `turn` the last ones are kept for."""
        self._whole: Counter[int] = Counter()
        self._recent: deque[Counter[int]] = deque([Counter()], maxlen=window)

    def add(self, ms: float) -> None:
        """One more."""
        step = math.ceil(math.log2(max(ms, _FINEST_MS) / _FINEST_MS) * _PER_DOUBLING)
        self._whole[step] += 1
        self._recent[-1][step] += 1

    def turn(self) -> None:
        """Another second begins."""
        self._recent.append(Counter())

    def recent(self, share: float) -> float | None:
        """The latency in ms that `share` of the last ones did not exceed; None where there were none."""
        return _quantile(sum(self._recent, Counter()), share)

    def whole(self, share: float) -> float | None:
        """The same of all of them."""
        return _quantile(self._whole, share)


def _quantile(steps: Counter[int], share: float) -> float | None:
    wanted = steps.total() * share
    for step in sorted(steps):
        wanted -= steps[step]
        if wanted <= 0:
            return _FINEST_MS * math.pow(2, step / _PER_DOUBLING)
    return None


class Seen:
    """Which ids of one stream were acked, each once: in order but for a few."""

    def __init__(self) -> None:
        self._stream = ""
        self._through = 0
        self._above: set[int] = set()

    def begin(self, stream: str, through: int) -> None:
        """An agent starts, whose ids up to `through` are settled. What is known of its stream stays known."""
        if stream != self._stream:
            self._stream, self._through = stream, through
            self._above.clear()

    def first(self, stream: str, id: int) -> bool:
        """Note `id`; true the first time."""
        self.begin(stream, id - 1)
        if id <= self._through or id in self._above:
            return False
        self._above.add(id)
        while self._through + 1 in self._above:
            self._through += 1
            self._above.remove(self._through)
        return True

    def forget_through(self, id: int) -> None:
        """Ids up to `id` are settled: those that were dropped will never be acked."""
        if id > self._through:
            self._above = {above for above in self._above if above > id}
            self._through = id


class Tally:
    """Counters of the whole fleet. Safe on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.latencies = Latencies()
        self.acked = 0
        """Events that the relay has stored, each once however often it was sent."""
        self.rounds_acked = 0
        self.refusals: Counter[str] = Counter()
        """By the relay's code, of events and of connections."""
        self.commands = 0
        self.answered = 0

    def ack(self, ms: float, *, new: bool, is_round: bool) -> None:
        """The relay has stored an event, `ms` after it was sent."""
        with self._lock:
            self.latencies.add(ms)
            self.acked += new
            self.rounds_acked += new and is_round

    def refuse(self, code: str) -> None:
        """The relay has refused an event, or a connection."""
        with self._lock:
            self.refusals[code] += 1

    def command(self, *, came: bool) -> None:
        """A command `came`, or else was answered, and the relay knows the answer."""
        with self._lock:
            self.commands += came
            self.answered += not came

    def turn(self, shares: Iterable[float]) -> list[float | None]:
        """Another second begins; the latencies of the last ones."""
        with self._lock:
            told = [self.latencies.recent(share) for share in shares]
            self.latencies.turn()
        return told


class Asked:
    """The commands of one device that wait for their answers."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, None] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()

    def came(self, command: str) -> bool:
        """True the first time: one that comes twice is one."""
        if command in self._known:
            return False
        self._known[command] = self._open[command] = None
        while len(self._known) > _COMMANDS_REMEMBERED:
            self._known.popitem(last=False)
        return True

    def answered(self, command: str) -> bool:
        """True the first time, for a command that came."""
        return self._open.pop(command, 0) is None

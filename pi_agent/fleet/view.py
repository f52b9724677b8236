"""How a fleet is shown: a live view in a terminal, a line now and then elsewhere, a table at the end. Plain ANSI."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, TextIO

from pi_agent.fleet.sample import Sample

_BARS: Final = "▁▂▃▄▅▆▇█"
_MOST_PAST: Final = 120
_GREEN, _YELLOW, _RED, _DIM, _BOLD = "32", "33", "31", "2", "1"
_PICTURE_AT: Final = 58
_LATE_MS: Final = 500.0
_PLAIN_EVERY_S: Final = 5.0


def sparkline(values: Sequence[float], width: int) -> str:
    """The last `width` values as bars, from 0 to the highest of them."""
    shown = values[-width:] if width > 0 else ()
    highest = max(shown, default=0.0)
    if highest <= 0:
        return _BARS[0] * len(shown)
    return "".join(_BARS[min(len(_BARS) - 1, int(value / highest * (len(_BARS) - 1) + 0.5))] for value in shown)


def bar(shares: Sequence[tuple[int, str]], width: int) -> str:
    """Counts as a bar of `width` letters in all, each with its own letter; what is not nothing is seen."""
    whole = sum(count for count, _ in shares)
    if not whole or width <= 0:
        return ""
    lengths = [max(1, int(count / whole * width)) if count else 0 for count, _ in shares]
    lengths[lengths.index(max(lengths))] += width - sum(lengths)
    return "".join(letter * length for length, (_, letter) in zip(lengths, shares, strict=True))


class Live:
    """The view that is drawn anew in its place."""

    def __init__(self, out: TextIO, where: str, duration_s: float | None, *, colour: bool) -> None:
        self._out = out
        self._where = where
        self._duration_s = duration_s
        self._colour = colour
        self._past: deque[Sample] = deque(maxlen=_MOST_PAST)
        self._drawn = 0

    def show(self, sample: Sample, width: int) -> None:
        """Draw `sample` over the one before, in lines of at most `width` letters."""
        self._past.append(sample)
        lines = self.lines(sample, width)
        begin = f"\x1b[{self._drawn}F" if self._drawn else "\x1b[?25l"
        self._out.write(begin + "".join(f"\x1b[2K{line}\n" for line in lines))
        self._out.flush()
        self._drawn = len(lines)

    def close(self) -> None:
        """Give the terminal its cursor back."""
        if self._drawn:
            self._out.write("\x1b[?25h")
            self._out.flush()

    def lines(self, sample: Sample, width: int) -> list[str]:
        """What is drawn, top to bottom."""
        s, room = sample, width - _PICTURE_AT
        of = f" of {_clock(self._duration_s)}" if self._duration_s is not None else ""
        started = s.connected + s.connecting + s.cut + s.down
        states = [(s.connected, "█"), (s.connecting, "▒"), (s.cut + s.down, "x"), (s.devices - started, "·")]
        rates = [past.acked_per_s for past in self._past]
        slow = [past.ack_p99_ms or 0.0 for past in self._past]
        drops = _counts(s.dropped)
        rows: list[tuple[str, str, str, str]] = [
            ("", f"{s.devices} devices → {self._where}   {_clock(s.elapsed_s)}{of}", "", _BOLD),
            (
                "devices",
                f"{s.connected} connected, {s.connecting} connecting, {s.cut} cut, {s.down} down",
                bar(states, room),
                _GREEN if s.connected == s.devices else _YELLOW,
            ),
            ("rounds", f"{s.rounds_per_s:.1f}/s taken, {s.acked_per_s:.1f}/s acked", sparkline(rates, room), _GREEN),
            ("acks", f"p50 {_ms(s.ack_p50_ms)}, p99 {_ms(s.ack_p99_ms)}", sparkline(slow, room), _DIM),
            ("outboxes", f"{s.waiting} waiting, dropped: {drops}", "", _RED if s.dropped else ""),
            ("commands", f"{s.answered} of {s.commands} answered", "", ""),
            ("refusals", _counts(s.refusals), "", _YELLOW if s.refusals else _DIM),
            ("faults", _faults(s), "", _DIM),
            (
                "process",
                f"{s.cpu_pct:.0f} % of a core, {s.rss_mb:.0f} MB, {s.late_ms:.0f} ms late"
                + (": this machine is the limit" if s.late_ms > _LATE_MS else ""),
                "",
                _RED if s.late_ms > _LATE_MS else "",
            ),
        ]
        return [self._line(*row, width=width) for row in rows]

    def _line(self, head: str, text: str, picture: str, colour: str, *, width: int) -> str:
        plain = f"{head:<10}{text}" if head else text
        if picture:
            plain = f"{plain:<{_PICTURE_AT - 1}} {picture}"
        plain = plain[: max(0, width)]
        return f"\x1b[{colour}m{plain}\x1b[0m" if self._colour and colour else plain


class Plain:
    """A line every few seconds, for a log."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown_s = float("-inf")

    def show(self, sample: Sample) -> None:
        """Write a line, unless one was written just now."""
        if sample.elapsed_s - self._shown_s < _PLAIN_EVERY_S:
            return
        self._shown_s = sample.elapsed_s
        s = sample
        self._out.write(
            f"{_clock(s.elapsed_s)}  {s.connected}/{s.devices} connected, {s.cut} cut, {s.down} down;"
            f" {s.rounds_per_s:.1f} rounds/s, {s.acked_per_s:.1f} acked/s, p99 {_ms(s.ack_p99_ms)};"
            f" {s.waiting} waiting, {sum(s.dropped.values())} dropped; refusals: {_counts(s.refusals)};"
            f" {s.cpu_pct:.0f} % of a core, {s.rss_mb:.0f} MB\n"
        )
        self._out.flush()


def summary(sample: Sample, p50_ms: float | None, p99_ms: float | None) -> list[tuple[str, str]]:
    """What is told at the end: name and value."""
    s = sample
    return [
        ("devices", f"{s.devices}, for {_clock(s.elapsed_s)}"),
        ("rounds", f"{s.rounds} taken, {s.rounds_acked} acked"),
        ("events", f"{s.taken} taken, {s.acked} acked"),
        ("left unsent", str(s.waiting)),
        ("dropped", _counts(s.dropped)),
        ("ack latency", f"p50 {_ms(p50_ms)}, p99 {_ms(p99_ms)}"),
        ("commands", f"{s.answered} of {s.commands} answered"),
        ("refusals", _counts(s.refusals)),
        ("faults", _faults(s)),
        ("agents that broke", str(s.troubles)),
    ]


def _faults(s: Sample) -> str:
    gone = f" (events lost with them that were not on disk yet: {s.gone})" if s.gone else ""
    return f"links cut: {s.cuts}, agents killed: {s.kills}{gone}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"

"""The comparison as a picture: an SVG written by hand, bars of CPU time per delivery, with latency and memory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tests.bench.fanout.contestants import OURS
from tests.bench.fanout.heats import FEW, MANY

_WIDTH, _LEFT, _RIGHT, _ROW, _HEAD = 900, 190, 240, 24, 40
_INK, _DIM, _OURS, _OTHER, _FLOOR = "#22252b", "#7a808c", "#2f6fbf", "#b9c0cc", "#9ccfae"
_OWN = (OURS, FEW, MANY)


@dataclass(frozen=True)
class Bar:
    """One server under one load."""

    name: str
    us: float
    p99_ms: float
    kb: float


def picture(groups: Mapping[str, Sequence[Bar]]) -> str:
    """One group of bars per load."""
    height = 20 + sum(_HEAD + _ROW * len(bars) for bars in groups.values())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12" fill="{_INK}">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    y = 10
    for title, bars in groups.items():
        parts.append(f'<text x="10" y="{y + 20}" font-size="14">{escape(title)}</text>')
        parts += _bars(bars, y + 30)
        y += _HEAD + _ROW * len(bars)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bars(bars: Sequence[Bar], y: int) -> Iterable[str]:
    longest = max((bar.us for bar in bars), default=1.0) or 1.0
    for number, bar in enumerate(bars):
        top = y + _ROW * number
        width = max(1.0, bar.us / longest * (_WIDTH - _LEFT - _RIGHT))
        colour = _OURS if bar.name in _OWN else _FLOOR if "floor" in bar.name else _OTHER
        words = f"{bar.us:.2f} µs, p99 {bar.p99_ms:.0f} ms, {max(0.0, bar.kb):.1f} KB a client"
        yield f'<text x="{_LEFT - 8}" y="{top + 14}" text-anchor="end">{escape(bar.name)}</text>'
        yield f'<rect x="{_LEFT}" y="{top + 2}" width="{width:.1f}" height="{_ROW - 8}" fill="{colour}"/>'
        yield f'<text x="{_LEFT + width + 6:.1f}" y="{top + 14}" fill="{_DIM}">{words}</text>'

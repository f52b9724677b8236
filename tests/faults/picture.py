"""What a run was, as a picture: an SVG written by hand."""

from collections.abc import Iterable
from html import escape

from tests.faults.programme import Run

_WIDTH, _LEFT, _RIGHT = 1200, 150, 20
_TOP, _ROW, _GRAPH = 70, 26, 160
_INK, _DIM, _UP, _LINE, _BAD = "#22252b", "#7a808c", "#9ccfae", "#2f6fbf", "#c23b3b"
_LANE = {
    "kill": "#c23b3b",
    "freeze": "#4d7fc4",
    "restart": "#8a6fc0",
    "newer": "#8a6fc0",
    "older": "#8a6fc0",
    "clock": "#b3862e",
    "agent disk": "#8c5a3c",
    "relay disk": "#8c5a3c",
    "bits": "#3c8c84",
    "outbox": "#3c8c84",
}
"""Colours by how a fault's name begins; the network's are the rest."""
_NETWORK = "#d98032"


def picture(run: Run) -> str:
    """The run on a time axis: when each process ran, what was done to it, and what waited for an ack."""
    lanes = sorted({one.lane for one in run.injected})
    names = list(run.lives)
    height = _TOP + _ROW * (len(names) + len(lanes)) + _GRAPH + 70
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12" fill="{_INK}">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        *_head(run),
    ]
    y = _TOP
    for name in names:
        parts += _process(run, name, y)
        y += _ROW
    for lane in lanes:
        parts += _faults(run, lane, y)
        y += _ROW
    parts += _graph(run, y + 10)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _x(run: Run, at_s: float) -> float:
    length = max(run.ended_s - run.began_s, 1e-9)
    return round(_LEFT + (at_s - run.began_s) / length * (_WIDTH - _LEFT - _RIGHT), 1)


def _text(x: float, y: float, text: str, fill: str = _INK, **more: str) -> str:
    rest = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
    return f'<text x="{x}" y="{y}" fill="{fill}"{rest}>{escape(text)}</text>'


def _head(run: Run) -> Iterable[str]:
    verdict = "passed" if run.passed else f"FAILED: {run.problems[0]}"
    yield _text(
        _LEFT,
        26,
        f"{run.database}, seed {run.seed}, {run.ended_s - run.began_s:.0f} s, {len(run.injected)} faults: {verdict}",
        _INK if run.passed else _BAD,
        font_size="16",
    )
    if run.account is not None:
        zeros = "   ".join(f"{name} {count}" for name, count in run.account.zeros.counts().items())
        yield _text(_LEFT, 48, zeros, _DIM if run.account.zeros.all_zero else _BAD)


def _process(run: Run, name: str, y: float) -> Iterable[str]:
    yield _text(10, y + 15, name)
    for life in run.lives[name]:
        begin, end = _x(run, life.began_s), _x(run, life.ended_s or run.ended_s)
        yield f'<rect x="{begin}" y="{y + 3}" width="{max(0.5, end - begin - 0.7):.1f}" height="16" fill="{_UP}"/>'


def _faults(run: Run, lane: int, y: float) -> Iterable[str]:
    these = [one for one in run.injected if one.lane == lane]
    yield _text(10, y + 15, f"faults, lane {lane + 1}", _DIM)
    for one in these:
        colour = next((paint for word, paint in _LANE.items() if one.fault.kind.startswith(word)), _NETWORK)
        begin, end = _x(run, one.began_s), _x(run, one.ended_s)
        told = f"{one.fault.kind} {one.fault.how} {one.trouble}".strip()
        opacity = "0.25" if one.trouble else "0.85"
        yield (
            f'<rect x="{begin}" y="{y + 3}" width="{max(1.5, end - begin):.1f}" height="16" fill="{colour}" '
            f'fill-opacity="{opacity}"><title>{escape(told)}</title></rect>'
        )


def _graph(run: Run, y: float) -> Iterable[str]:
    most = max([waiting for _, _, _, waiting in run.samples] + [1])
    bottom = y + _GRAPH
    yield _text(10, y + 15, "waiting for an ack")
    yield _text(_LEFT - 8, y + 10, str(most), _DIM, text_anchor="end")
    yield _text(_LEFT - 8, bottom, "0", _DIM, text_anchor="end")
    yield f'<line x1="{_LEFT}" y1="{bottom}" x2="{_WIDTH - _RIGHT}" y2="{bottom}" stroke="{_DIM}"/>'
    points = " ".join(
        f"{_x(run, at_s)},{round(bottom - waiting / most * _GRAPH, 1)}" for at_s, _, _, waiting in run.samples
    )
    yield f'<polyline points="{points}" fill="none" stroke="{_LINE}" stroke-width="1.5"/>'
    length_s = run.ended_s - run.began_s
    step_s = next(step for step in (5, 10, 30, 60, 300, 1e9) if length_s / step <= 12)
    for number in range(int(length_s // step_s) + 1):
        at = _x(run, run.began_s + number * step_s)
        yield _text(at, bottom + 16, f"{number * step_s:.0f} s", _DIM, text_anchor="middle")

"""Draw the wiring picture of docs/pi.md from the wiring table itself: `make wiring`."""

import argparse
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

from pi_agent.check.wiring import HEADER, Wire, wires
from pi_agent.settings import AgentSettings

FILE = Path(__file__).parents[2] / "docs" / "images" / "wiring.svg"

_STEP = 26
"""From one row of the header to the next."""
_LEG = 34
"""From one leg of a part to the next."""
_TOP, _ODD, _EVEN, _LABEL = 96, 417, 443, 79
_PART_W, _LEFT_PART, _RIGHT_PART = 176, 24, 660
_WIDTH, _HEIGHT = 860, 740
_COLOUR = {"5 V": "power5", "3.3 V": "power3", "ground": "ground"}
_TITLES = {
    "light": ("LED", "the breathing light"),
    "infrared": ("PIR (HC-SR501)", "sees movement"),
    "climate": ("DHT22", "temperature, humidity"),
}
_NOTES = (
    "Signals are never above 3.3 V. The PIR is fed with 5 V and answers with 3.3 V.",
    "A DHT22 on a small board of its own has the 10 kΩ already; the bare sensor's leg 3 stays free.",
)

_STYLE = """
  .paper { fill: #ffffff } .ink { fill: #1f2430 } .dim { fill: #646b78 }
  .board { fill: #eaf3ec; stroke: #9dbfa8 } .part { fill: #f5f6f8; stroke: #b6bcc7 }
  .base { fill: #2b303b } .pad { fill: #c9a84a } .free { fill: #8b919d }
  .thin { stroke-width: 2.5 !important }
  .wire { fill: none; stroke-width: 4; stroke-linecap: round; stroke-linejoin: round }
  .halo { fill: none; stroke: #ffffff; stroke-width: 8; stroke-linejoin: round }
  .signal { stroke: #2166c4 } .power5 { stroke: #c8322b } .power3 { stroke: #d9822b } .ground { stroke: #3c424d }
  .dot-signal { fill: #2166c4 } .dot-power5 { fill: #c8322b }
  .dot-power3 { fill: #d9822b } .dot-ground { fill: #3c424d }
  .resistor { fill: #efe2c4; stroke: #a98d4c }
  text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 13px }
  .h { font-size: 19px; font-weight: 600 } .t { font-size: 15px; font-weight: 600 } .s { font-size: 11.5px }
  .n { font-size: 10.5px; font-variant-numeric: tabular-nums } .b { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #14171d } .ink { fill: #e8ebf0 } .dim { fill: #a2a9b6 }
    .board { fill: #1b2a21; stroke: #40604b } .part { fill: #20252e; stroke: #4a5261 }
    .base { fill: #07090c } .free { fill: #767d8a } .halo { stroke: #14171d }
    .signal { stroke: #6aa5f2 } .power5 { stroke: #f0716a } .power3 { stroke: #f0a95e } .ground { stroke: #b4bac5 }
    .dot-signal { fill: #6aa5f2 } .dot-power5 { fill: #f0716a }
    .dot-power3 { fill: #f0a95e } .dot-ground { fill: #b4bac5 }
    .resistor { fill: #5b4d2a; stroke: #d1b56c }
  }
"""


def picture() -> str:
    """The picture of a Pi as it is configured by default."""
    found = wires(AgentSettings())
    return "\n".join(_picture(found)) + "\n"


def _picture(found: list[Wire]) -> Iterator[str]:
    told = "; ".join(f"{wire.leg} to position {wire.position} ({wire.to})" for wire in found)
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(told)}">'
    yield f"<style>{_STYLE}</style>"
    yield f'<rect class="paper" width="{_WIDTH}" height="{_HEIGHT}" rx="10"/>'
    yield _text(24, 38, "How the parts are connected", "ink h")
    yield _text(24, 60, "The Pi from above, with its USB ports at the bottom: the header is at the right edge.", "dim")
    yield from _header(found)
    for side in ("left", "right"):
        yield from _column(found, [part for part in _parts(found) if _side(found, part) == side], side)
    yield from _legend()
    yield "</svg>"


def _parts(found: list[Wire]) -> list[str]:
    """The parts from the top of the header to its end, by their signals."""
    signals = {wire.part: wire.position for wire in found if wire.gpio is not None}
    return sorted(signals, key=lambda part: signals[part])


def _side(found: list[Wire], part: str) -> str:
    """Parts stand on the side of their signal: odd positions are on the left."""
    signal = next(wire for wire in found if wire.part == part and wire.gpio is not None)
    return "left" if signal.position % 2 else "right"


def _y(position: int) -> int:
    return _TOP + 30 + (position - 1) // 2 * _STEP


def _header(found: list[Wire]) -> Iterator[str]:
    used = {wire.position for wire in found}
    height = 20 * _STEP + 12
    yield f'<rect class="board" x="{_ODD - 93}" y="{_TOP - 10}" width="212" height="{height + 36}" rx="10"/>'
    yield f'<rect class="base" x="{_ODD - 14}" y="{_TOP + 11}" width="54" height="{height}" rx="4"/>'
    for position, what in HEADER.items():
        left = position % 2 == 1
        x, y = (_ODD if left else _EVEN), _y(position)
        kind = "pad" if position in used else "free"
        # The first position is square, as on the board.
        yield f'<rect class="{kind}" x="{x - 8}" y="{y - 8}" width="16" height="16" rx="{1 if position == 1 else 8}"/>'
        yield f'<text class="n" x="{x}" y="{y + 4}" text-anchor="middle" fill="#14171d">{position}</text>'
        label = "GND" if what == "ground" else what
        tone = "ink b" if position in used else "dim"
        yield _text(x + (-18 if left else 18), y + 4, label, f"{tone} s", "end" if left else "start")


def _column(found: list[Wire], parts: list[str], side: str) -> Iterator[str]:
    """One side of the picture: first all wires, the later over the earlier, then the parts that they end at."""
    y, lane, boxes = _TOP, 0, []
    sign = 1 if side == "left" else -1
    x = _LEFT_PART if side == "left" else _RIGHT_PART
    edge = x + _PART_W if side == "left" else x
    for part in parts:
        legs = [wire for wire in found if wire.part == part]
        legs.sort(key=lambda wire: wire.position)
        # The first leg is level with its position, unless another part is there.
        y = max(y, _y(legs[0].position) - 72)
        at = {wire.leg: y + 72 + number * _LEG for number, wire in enumerate(legs)}
        for wire in legs:
            yield _wire(wire, edge, at[wire.leg], sign, lane)
            lane += 1
        for wire in legs:
            yield from _resistor(wire, legs, at, edge, sign)
        boxes += list(_box(part, legs, at, x, y, side))
        y += 66 + len(legs) * _LEG + 24
    yield from boxes


def _box(part: str, legs: list[Wire], at: dict[str, int], x: int, y: int, side: str) -> Iterator[str]:
    title, words = _TITLES[part]
    edge = x + _PART_W if side == "left" else x
    yield f'<rect class="part" x="{x}" y="{y}" width="{_PART_W}" height="{54 + len(legs) * _LEG}" rx="8"/>'
    yield _text(x + 16, y + 26, title, "ink t")
    yield _text(x + 16, y + 44, words, "dim s")
    for wire in legs:
        name = wire.leg.partition(", ")[2]
        yield f'<circle class="dot-{_kind(wire)}" cx="{edge}" cy="{at[wire.leg]}" r="5.5"/>'
        anchor, dx = ("end", -14) if side == "left" else ("start", 14)
        yield _text(edge + dx, at[wire.leg] + 4.5, name, "ink", anchor)


def _wire(wire: Wire, edge: int, y: int, sign: int, lane: int) -> str:
    """From the part's edge by a lane of its own to the label of the position; `sign` is where the header lies."""
    near = (wire.position % 2 == 1) == (sign == 1)
    if not near:
        raise ValueError(f"{wire.leg} ends on the far side of the header: the picture has no way there")
    end = (_ODD - _LABEL) if sign == 1 else (_EVEN + _LABEL)
    corner = edge + sign * (78 + lane * 8)
    path = f"M{edge},{y} H{corner} V{_y(wire.position)} H{end}"
    kind = _kind(wire)
    dot = f'<circle class="dot-{kind}" cx="{end}" cy="{_y(wire.position)}" r="4"/>'
    return f'<path class="halo" d="{path}"/><path class="wire {kind}" d="{path}"/>{dot}'


def _resistor(wire: Wire, legs: list[Wire], at: dict[str, int], edge: int, sign: int) -> Iterator[str]:
    """A resistor in a wire lies in it; one from a signal to its supply stands between the two."""
    value, _, other = wire.through.partition(" to ")
    if not value:
        return
    x, y = edge + sign * 46, at[wire.leg]
    if not other:
        yield f'<rect class="resistor" x="{x - 22}" y="{y - 7}" width="44" height="14" rx="3"/>'
        yield _text(x, y - 12, value, "ink s b", "middle")
        return
    top = next(at[leg.leg] for leg in legs if leg.to == other)
    x -= sign * 20
    yield f'<path class="wire thin {_COLOUR[other]}" d="M{x},{top} V{y}"/>'
    yield f'<rect class="resistor" x="{x - 7}" y="{(top + y) / 2 - 11}" width="14" height="22" rx="3"/>'
    yield _text(x + sign * 13, (top + y) / 2 + 4, value, "ink s b", "start" if sign == 1 else "end")


def _kind(wire: Wire) -> str:
    return _COLOUR.get(wire.to, "signal")


def _legend() -> Iterator[str]:
    y = _HEIGHT - 60
    for x, kind, words in (
        (24, "signal", "signal"),
        (118, "power3", "3.3 V"),
        (204, "power5", "5 V"),
        (280, "ground", "ground"),
    ):
        yield f'<path class="wire {kind}" d="M{x},{y} h22"/>'
        yield _text(x + 31, y + 4, words, "ink s")
    for number, note in enumerate(_NOTES):
        yield _text(24, y + 26 + number * 18, note, "dim s")


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether the picture is up to date")
    if parser.parse_args(argv).check:
        return 0 if FILE.exists() and FILE.read_text(encoding="utf-8") == picture() else 1
    FILE.write_text(picture(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

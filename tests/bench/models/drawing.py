"""Pictures of benchmarks: SVG written by hand."""

from collections.abc import Iterable, Sequence
from html import escape

INK, DIM, LINE, SECOND, GOOD, BAD, PALE = "#22252b", "#7a808c", "#2f6fbf", "#d98032", "#3c8c5f", "#c23b3b", "#cfdff2"


class Drawing:
    """One picture with a title; parts are drawn from top to bottom."""

    def __init__(self, title: str, width: int = 1000) -> None:
        self.width = width
        self._y = 50.0
        self._parts = [_text(20, 28, title, font_size="17")]

    def svg(self) -> str:
        """The whole file."""
        height = round(self._y + 20)
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {height}" '
                f'font-family="sans-serif" font-size="12" fill="{INK}">',
                f'<rect width="{self.width}" height="{height}" fill="#ffffff"/>',
                *self._parts,
                "</svg>\n",
            ]
        )

    def say(self, text: str) -> None:
        """A line of text."""
        self._parts.append(_text(20, self._y, text, DIM))
        self._y += 20

    def bars(self, title: str, rows: Iterable[tuple[str, float, str]], bound: float | None = None) -> None:
        """One horizontal bar per (name, value, colour), with a line at `bound`, which must be reached or not passed."""
        rows = list(rows)
        left, right = 260, self.width - 90
        most = max([value for _, value, _ in rows] + [bound or 0.0, 1e-9])
        self._heading(title)
        top = self._y
        for name, value, colour in rows:
            length = max(0.5, (right - left) * max(0.0, value) / most)
            self._parts.append(_text(left - 8, self._y + 12, name, text_anchor="end"))
            self._parts.append(f'<rect x="{left}" y="{self._y:.1f}" width="{length:.1f}" height="15" fill="{colour}"/>')
            self._parts.append(_text(left + length + 6, self._y + 12, f"{value:.3g}", DIM))
            self._y += 20
        if bound is not None:
            x = left + (right - left) * bound / most
            self._parts.append(_line(x, top - 3, x, self._y, INK, dashed=True))
        self._y += 12

    def lines(
        self,
        title: str,
        curves: Sequence[tuple[str, str, Sequence[tuple[float, float]]]],
        band: Sequence[tuple[float, float, float]] = (),
        height: int = 190,
        x_unit: str = "",
        y_unit: str = "",
    ) -> None:
        """Curves (name, colour, points) on common axes, over a band of (x, low, high)."""
        self._heading(title)
        points = [point for _, _, curve in curves for point in curve]
        points += [(x, y) for x, low, high in band for y in (low, high)]
        left, right, top, bottom = 70, self.width - 20, self._y, self._y + height
        x0, x1 = min(x for x, _ in points), max(x for x, _ in points)
        y0, y1 = min(y for _, y in points), max(y for _, y in points)
        x_span, y_span = (x1 - x0) or 1.0, (y1 - y0) or 1.0

        def place(x: float, y: float) -> str:
            return f"{left + (x - x0) / x_span * (right - left):.1f},{bottom - (y - y0) / y_span * height:.1f}"

        if band:
            outline = [place(x, low) for x, low, _ in band] + [place(x, high) for x, _, high in reversed(band)]
            self._parts.append(f'<polygon points="{" ".join(outline)}" fill="{PALE}"/>')
        for number, (name, colour, curve) in enumerate(curves):
            drawn = " ".join(place(x, y) for x, y in curve)
            self._parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
            self._parts.append(_text(right - 160 * (len(curves) - number), top - 6, f"— {name}", colour))
        self._parts.append(_line(left, bottom, right, bottom, DIM))
        for share in (0.0, 0.5, 1.0):
            value = _text(left - 8, bottom - share * height + 4, f"{y0 + share * y_span:.3g} {y_unit}", DIM)
            self._parts.append(value.replace("<text", '<text text-anchor="end"'))
            place_x = left + share * (right - left)
            anchor = ("start", "middle", "end")[round(share * 2)]
            self._parts.append(
                _text(place_x, bottom + 16, f"{x0 + share * x_span:.3g} {x_unit}", DIM, text_anchor=anchor)
            )
        self._y = bottom + 36

    def _heading(self, title: str) -> None:
        self._parts.append(_text(20, self._y + 4, title, font_size="13"))
        self._y += 16


def _text(x: float, y: float, text: str, fill: str = INK, **more: str) -> str:
    rest = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}"{rest}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, stroke: str, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"{dash}/>'

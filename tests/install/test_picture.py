"""The wiring picture of docs/pi.md shows what the wiring table says."""

import re
import xml.etree.ElementTree as ET

from pi_agent.check.wiring import wires
from pi_agent.settings import AgentSettings
from tests.support import wiring


def test_the_picture_is_fresh() -> None:
    assert wiring.FILE.read_text(encoding="utf-8") == wiring.picture(), "run `make wiring`"


def test_every_wire_is_drawn_and_said() -> None:
    drawing = ET.fromstring(wiring.picture())
    found = wires(AgentSettings())
    paths = [
        path for path in drawing.iter("{http://www.w3.org/2000/svg}path") if path.get("class", "").startswith("halo")
    ]
    assert len(paths) == len(found)
    said = drawing.attrib["aria-label"]
    assert all(f"{wire.leg} to position {wire.position} ({wire.to})" in said for wire in found)
    assert {"330 Ω", "10 kΩ"} <= {text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")}


def test_it_takes_nothing_from_elsewhere() -> None:
    assert re.findall(r"(?:href|src|url\()\S*", wiring.picture()) == []
    assert "prefers-color-scheme: dark" in wiring.picture()

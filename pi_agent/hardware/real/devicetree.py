"""Who has which pin, as the device tree tells it: overlays, and the buses that pins are switched to.

The GPIO character device knows only lines that somebody requested; a pin that PWM, I²C or SPI drives looks free to it,
and taking it would cut that off without an error.
"""

from collections.abc import Iterator
from typing import Final

from pi_agent.hardware.real.sysfs import Sysfs

_TREE: Final = "proc/device-tree"
_BUSES: Final = ("soc*", "axi/pcie@*/rp1*", "axi/pcie@*/rp1*/*")
"""Where the nodes of a Pi 0 to 4, and of a Pi 5, are."""
_WORDS: Final = {
    "w1-gpio": "1-Wire (dtoverlay=w1-gpio)",
    "dht11": "the kernel's DHT driver (dtoverlay=dht11)",
    "gpio-ir-receiver": "an infrared receiver (dtoverlay=gpio-ir)",
    "gpio-fan": "a fan (dtoverlay=gpio-fan)",
}


def holder(sysfs: Sysfs, gpio: int) -> str | None:
    """Who the device tree says has that pin of the header, in words; None where it names nobody."""
    return _line_holder(sysfs, gpio) or _switched_to(sysfs, gpio)


def pwm_pins(sysfs: Sysfs) -> frozenset[int]:
    """The pins that are switched to a PWM; none where the tree does not say."""
    return frozenset(pin for node, pins in _switched(sysfs) if "/pwm@" in node for pin in pins)


def _line_holder(sysfs: Sysfs, gpio: int) -> str | None:
    """The overlay whose node names the line: `gpios` is (the chip's phandle, the line, flags)."""
    chips = {cell for chip in _chips(sysfs) for cell in sysfs.cells(f"{chip}/phandle")}
    for pattern in ("*/gpios", "*/gpio", "leds/*/gpios"):
        for file in sysfs.find(f"{_TREE}/{pattern}"):
            node = file.rpartition("/")[0]
            cells = sysfs.cells(file)
            if len(cells) >= 2 and cells[0] in chips and cells[1] == gpio and _enabled(sysfs, node):
                kind = sysfs.text(f"{node}/compatible").split("\0")[0]
                return _WORDS.get(kind) or f"{node.rpartition('/')[2]} of the device tree"
    return None


def _switched_to(sysfs: Sysfs, gpio: int) -> str | None:
    nodes = [node for node, pins in _switched(sysfs) if gpio in pins]
    return f"{nodes[0].rpartition('/')[2]} of the device tree" if nodes else None


def _switched(sysfs: Sysfs) -> Iterator[tuple[str, frozenset[int]]]:
    """Each enabled node with the pins that its first set of pin groups switches to it."""
    groups = {
        phandle: _pins(sysfs, group.rpartition("/")[0])
        for chip in _chips(sysfs)
        for group in sysfs.find(f"{chip}/*/phandle")
        for phandle in sysfs.cells(group)
    }
    for bus in _BUSES:
        for file in sysfs.find(f"{_TREE}/{bus}/*/pinctrl-0"):
            node = file.rpartition("/")[0]
            # The chip's own groups are defaults, not a use.
            if "/gpio@" not in node and _enabled(sysfs, node):
                yield node, frozenset().union(*(groups.get(phandle, ()) for phandle in sysfs.cells(file)))


def _pins(sysfs: Sysfs, group: str) -> frozenset[int]:
    named = sysfs.text(f"{group}/pins").split("\0")  # a Pi 5: gpio18
    numbers = (name.removeprefix("gpio") for name in named)
    return frozenset(sysfs.cells(f"{group}/brcm,pins")) | {int(number) for number in numbers if number.isdigit()}


def _chips(sysfs: Sysfs) -> list[str]:
    return [chip for bus in _BUSES for chip in sysfs.find(f"{_TREE}/{bus}/gpio@*")]


def _enabled(sysfs: Sysfs, node: str) -> bool:
    return sysfs.text(f"{node}/status").rstrip("\0") in ("", "okay", "ok")

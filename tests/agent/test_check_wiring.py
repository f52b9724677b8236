"""The wiring table: every wire at a position that is what the leg needs, and nothing above 3.3 V on a pin."""

from hypothesis import given
from hypothesis import strategies as st

from pi_agent.check.wiring import HEADER, position_of, wires
from pi_agent.hardware.options import (
    ClimateDriver,
    ClimateOptions,
    HardwareOptions,
    InfraredDriver,
    InfraredOptions,
    LightDriver,
    LightOptions,
)
from pi_agent.settings import AgentSettings

pins = st.lists(st.integers(2, 27), min_size=3, max_size=3, unique=True)


def test_the_header_is_that_of_a_pi() -> None:
    assert len(HEADER) == 40
    assert sorted(what for what in HEADER.values() if what.startswith("GPIO")) == sorted(f"GPIO {n}" for n in range(28))
    assert [place for place, what in HEADER.items() if what == "ground"] == [6, 9, 14, 20, 25, 30, 34, 39]
    assert {place: HEADER[place] for place in (1, 2, 4, 17)} == {1: "3.3 V", 2: "5 V", 4: "5 V", 17: "3.3 V"}
    assert [position_of(gpio) for gpio in (4, 18, 23, 14, 15, 21)] == [7, 12, 16, 8, 10, 40]


@given(pins, st.booleans())
def test_a_wire_ends_at_what_its_leg_needs(gpios: list[int], pir: bool) -> None:
    light, infrared, climate = gpios
    hardware = HardwareOptions(
        light=LightOptions(gpio=light),
        infrared=InfraredOptions(gpio=infrared, active_high=pir),
        climate=ClimateOptions(gpio=climate),
    )
    found = wires(AgentSettings(hardware=hardware))
    assert {wire.gpio for wire in found} == {light, infrared, climate, None}
    for wire in found:
        assert HEADER[wire.position] == wire.to
        assert wire.gpio is None or position_of(wire.gpio) == wire.position
        assert wire.volts <= 3.3 or wire.to == "5 V"
    grounds = [wire.position for wire in found if wire.to == "ground"]
    assert len(set(grounds)) == len(grounds) == 3


def test_an_obstacle_module_never_gets_five_volts() -> None:
    assert "5 V" not in {
        wire.to for wire in wires(AgentSettings(hardware=HardwareOptions(infrared=InfraredOptions(active_high=False))))
    }


def test_the_led_has_its_resistor() -> None:
    (anode,) = [wire for wire in wires(AgentSettings()) if wire.gpio == 18]
    assert anode.through == "330 Ω"


def test_what_is_not_there_has_no_wire() -> None:
    nothing = HardwareOptions(
        light=LightOptions(driver=LightDriver.NONE),
        infrared=InfraredOptions(driver=InfraredDriver.NONE),
        climate=ClimateOptions(driver=ClimateDriver.NONE),
    )
    assert wires(AgentSettings(hardware=nothing)) == []

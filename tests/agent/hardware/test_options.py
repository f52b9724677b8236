import msgspec
import pytest

from pi_agent.hardware.options import HardwareOptions
from shared.settings import SettingsError, load, names


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    hardware: HardwareOptions = HardwareOptions()


def load_with(**variables):
    environ = {f"PI_AGENT_HARDWARE__{name}": text for name, text in variables.items()}
    return load(Settings, None, environ, "PI_AGENT_").hardware


def described(annotation):
    return any(getattr(meta, "description", None) for meta in getattr(annotation, "__metadata__", ())) or any(
        described(part) for part in getattr(annotation, "__args__", ())
    )


def test_every_setting_has_a_default_and_a_description():
    for name, field in names(HardwareOptions):
        assert not field.required, name
        assert described(field.type), name


def test_settings_come_from_the_environment():
    options = load_with(
        MODE="real",
        LIGHT__GPIO="12",
        INFRARED__ACTIVE_HIGH="false",
        CLIMATE__DRIVER="none",
        SIMULATION__SEED="7",
    )
    assert (options.mode, options.light.gpio, options.infrared.active_high) == ("real", 12, False)
    assert (options.climate.driver, options.simulation.seed) == ("none", 7)


def test_faults_come_from_the_environment_as_toml():
    options = load_with(
        MODE="simulated", SIMULATION__FAULTS='[{part = "light", kind = "frozen", after_s = 5.0, for_s = 2.0}]'
    )
    [fault] = options.simulation.faults
    assert (fault.part, fault.kind, fault.after_s, fault.for_s) == ("light", "frozen", 5.0, 2.0)


@pytest.mark.parametrize(
    ("variables", "setting", "words"),
    [
        ({"LIGHT__GPIO": "40"}, "hardware.light", "gpio 40 .* position on the header.* 2 to 27"),
        ({"INFRARED__GPIO": "1"}, "hardware.infrared", "gpio 1 cannot be used; .* 2 to 27"),
        ({"CLIMATE__GPIO": "-4"}, "hardware.climate", "gpio -4 cannot be used; .* 2 to 27"),
        ({"LIGHT__FREQUENCY_HZ": "10"}, "LIGHT__FREQUENCY_HZ", ">= 50"),
        ({"INFRARED__WARM_UP_S": "-1"}, "INFRARED__WARM_UP_S", ">= 0"),
        ({"REPLAY__SPEED": "0"}, "REPLAY__SPEED", "> 0"),
        ({"REPLAY__SPEED": "inf"}, "REPLAY__SPEED", "<= 100000"),
        ({"CLIMATE__DRIVER": "dht33"}, "CLIMATE__DRIVER", "dht33"),
        ({"MODE": "replayed"}, "hardware", "set replay.file"),
        ({"MODE": "real", "SIMULATION__FAULTS": "[{}]"}, "hardware", "simulation.faults .* real parts"),
        ({"SIMULATION__FAULTS": '[{kind = "dead", share = 0.5}]'}, "simulation.faults", "leave it out"),
        ({"SIMULATION__FAULTS": "[{for_s = 0}]"}, "faults[0].for_s", "> 0"),
        ({"SIMULATION__FAULTS": "[{shares = 0.5}]"}, "simulation.faults[0]", "shares"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_with_its_name_and_the_remedy(variables, setting, words):
    with pytest.raises(SettingsError, match=words) as refused:
        load_with(**variables)
    assert setting in str(refused.value)
    assert "\n" not in str(refused.value)


def test_options_built_in_a_program_are_checked_as_well():
    from pi_agent.hardware.options import LightOptions

    with pytest.raises(ValueError, match="gpio 36"):
        LightOptions(gpio=36)

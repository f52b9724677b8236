"""Accessories of one's own in the settings: what is refused, and how it is said."""

import pytest

from pi_agent.settings import AgentSettings, read_settings
from shared.contract.payloads import SafeState
from shared.settings import SettingsError


def read(tmp_path, text: str, **environ: str) -> AgentSettings:
    file = tmp_path / "agent.toml"
    file.write_text(text, encoding="utf-8")
    return read_settings(file, {f"PI_AGENT_{name}": value for name, value in environ.items()})


def test_a_few_lines_make_an_accessory(tmp_path) -> None:
    settings = read(tmp_path, '[accessories.fan]\ngpio = 17\ntitle = "Fan"\nsafe = "on"\n')
    fan = settings.accessories["fan"]
    assert (fan.gpio, fan.title, fan.safe, fan.active_high) == (17, "Fan", SafeState.ON, True)


def test_a_variable_reaches_into_a_table_of_accessories(tmp_path) -> None:
    text = "[accessories.fan]\ngpio = 17\n"
    settings = read(tmp_path, text, ACCESSORIES__FAN__GPIO="22", ACCESSORIES__PUMP__GPIO="27")
    assert {name: options.gpio for name, options in settings.accessories.items()} == {"fan": 22, "pump": 27}


@pytest.mark.parametrize(
    ("text", "setting", "remedy"),
    [
        ("[accessories.fan]\ngpoi = 17", "accessories.fan.gpoi", "did you mean gpio?"),
        ("[accessories.fan]\ngpio = 40", "accessories.fan", "position on the header"),
        ('[accessories.fan]\ngpio = "17"', "accessories.fan.gpio", "write a whole number"),
        ('[accessories.a]\ngpio = 5\n[accessories.b]\ngpio = 6\nsafe = "of"', "accessories.b.safe", "off, on, keep"),
        ("[accessories.fan]\nsafe = 'on'", "accessories.fan", "missing required field `gpio`"),
        ("[accessories.Fan]\ngpio = 17", "(all)", "accessories.Fan: a name has small letters"),
        ("[accessories.breath_light]\ngpio = 17", "(all)", "choose another one"),
        ("[accessories.fan]\ngpio = 17\nlink_loss_s = 15.0", "(all)", "at least two heartbeat_interval_s, 20 s"),
        ("[accessories]\nfan = 17", "accessories.fan", "write a table"),
    ],
)
def test_what_cannot_be_is_named_with_its_remedy(tmp_path, text, setting, remedy) -> None:
    with pytest.raises(SettingsError) as error:
        read(tmp_path, text)
    assert error.value.setting == setting
    assert remedy in str(error.value)

"""A setting that is unknown or wrong is refused with its name, its value and the remedy."""

from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from shared.settings import SettingsError, load, names


class Inner(Struct, frozen=True, kw_only=True):
    url: str = "http://127.0.0.1"
    token: str | None = None
    window: Annotated[int, Meta(ge=1, le=9)] = 4


class Outer(Struct, frozen=True, kw_only=True):
    relay: Inner = Inner()
    simulate: bool = False
    interval_s: float = 1.0
    groups: dict[str, tuple[str, ...]] = {}


def read(text: str = "", tmp_path: Path | None = None, **environ: str) -> Outer:
    file = None
    if tmp_path is not None:
        file = tmp_path / "settings.toml"
        file.write_text(text, encoding="utf-8")
    return load(Outer, file, environ, "APP_")


def test_defaults_need_nothing() -> None:
    assert read() == Outer()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    settings = read("interval_s = 5\n[relay]\nwindow = 2", tmp_path, APP_RELAY__WINDOW="3", OTHER="x")
    assert (settings.interval_s, settings.relay.window) == (5.0, 3)


def test_variables_take_the_type_of_their_setting() -> None:
    settings = read(APP_RELAY__URL="5", APP_SIMULATE="true", APP_INTERVAL_S="2.5", APP_GROUPS='{lab = ["a", "b"]}')
    assert settings == Outer(relay=Inner(url="5"), simulate=True, interval_s=2.5, groups={"lab": ("a", "b")})


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"APP_RELAY__URI": "x"}, ("APP_RELAY__URI", "'x'", "did you mean APP_RELAY__URL?")),
        ({"APP_NONSENSE": "x"}, ("APP_NONSENSE", "known here: APP_GROUPS, APP_INTERVAL_S")),
        ({"APP_RELAY__WINDOW": "0"}, ("APP_RELAY__WINDOW", "'0'", ">= 1")),
        ({"APP_SIMULATE": "perhaps"}, ("APP_SIMULATE", "'perhaps'", "bool")),
        ({"APP_GROUPS": "{"}, ("APP_GROUPS", "is not TOML")),
    ],
)
def test_a_bad_variable_is_named_with_its_remedy(environ: dict[str, str], said: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError) as error:
        read(**environ)
    assert all(part in str(error.value) for part in said), str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("relai = 1", ("relai", "1", "did you mean relay?")),
        ("[relay]\nwindow = 99", ("relay.window", "99", "<= 9")),
        ("[relay]\nwindow = 'x'", ("relay.window", "'x'", "int")),
        ("simulate = 1", ("simulate", "1", "bool")),
        ("interval_s =", ("is not TOML",)),
    ],
)
def test_a_bad_file_is_named_with_its_remedy(text: str, said: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        read(text, tmp_path)
    assert all(part in str(error.value) for part in said), str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"name an existing file"):
        load(Outer, tmp_path / "none.toml", {}, "APP_")


def test_a_secret_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        read("[relay]\ntoken = 12345", tmp_path)
    assert "12345" not in str(error.value)


def test_a_secret_inside_a_table_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        read("relay = [{token = 'bl_secret'}]", tmp_path)
    assert "bl_secret" not in str(error.value)
    with pytest.raises(SettingsError) as error:
        read("[relay]\ntoken = 'bl_secret'\nwindow = 0\n[relay.url]\nx = 1", tmp_path)
    assert "bl_secret" not in str(error.value)


def test_every_setting_is_listed_by_its_dotted_name() -> None:
    assert [name for name, _ in names(Outer)] == [
        "relay.url",
        "relay.token",
        "relay.window",
        "simulate",
        "interval_s",
        "groups",
    ]

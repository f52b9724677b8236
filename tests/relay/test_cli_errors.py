"""What a person types wrong in a terminal is told in their words, before anything is asked or made."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.cli import app

RUNNER = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})


@pytest.mark.parametrize("url", ["relay.lan:5000", "ftp://relay.lan:5000"])
@pytest.mark.parametrize("command", [["devices"], ["alerts", "rules"], ["off", "led", "--all"]], ids=" ".join)
def test_an_address_without_http_is_told_how_it_is_written(command: list[str], url: str) -> None:
    result = RUNNER.invoke(app, [*command, "--url", url])
    assert result.exit_code == 2
    assert f"'{url}' is no address of a relay: write http://relay.lan:5000" in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "limits"),
    [("--level", "4", "0.05<=x<=1"), ("--period", "0", "0.5<=x<=60"), ("--gamma", "9", "1<=x<=4")],
)
def test_breathing_out_of_range_names_the_option_and_its_limits(option: str, value: str, limits: str) -> None:
    result = RUNNER.invoke(app, ["on", "led", "--all", option, value])
    assert result.exit_code == 2
    assert option in result.stderr
    assert limits in RUNNER.invoke(app, ["on", "--help"]).stdout


@pytest.mark.parametrize("command", [["doctor"], ["db", "backup", "copy"]], ids=" ".join)
def test_a_database_that_is_not_there_is_neither_made_nor_found_sound(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    result = RUNNER.invoke(app, command)
    assert result.exit_code == 2
    assert str(tmp_path / "relay.db") in result.stderr
    assert "STATE_DIRECTORY" in result.stderr
    assert list(tmp_path.iterdir()) == []

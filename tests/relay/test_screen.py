"""What people and devices call things is shown in a terminal, never obeyed by it."""

import io

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from server.cli.alerts import _condition
from server.cli.options import Screen

EVIL = "kitchen\x1b[2J\x1b]0;owned\x07\u202e\x9b1m"


def test_no_control_character_of_a_name_reaches_the_terminal() -> None:
    written = io.StringIO()
    screen = Screen(file=written, width=100)
    table = Table("device")
    table.add_row(escape(EVIL))
    table.add_row(Text(EVIL))
    screen.print(table)
    screen.print(escape(EVIL), Text(EVIL))
    said = written.getvalue()
    assert said.count("kitchen[2J]0;owned1m") == 4
    assert not set(said) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert len({len(line) for line in said.splitlines()[:6]}) == 1  # the table's borders are where they belong


def test_colours_of_our_own_still_do() -> None:
    written = io.StringIO()
    Screen(file=written, force_terminal=True, color_system="standard", width=80).print("[red]off[/]")
    assert written.getvalue() == "\x1b[31moff\x1b[0m\n"


def test_a_limit_of_zero_is_a_limit() -> None:
    assert (
        _condition({"quantity": "temperature", "below": 0.0, "for_s": 0.0, "offline": False}) == "temperature below 0"
    )


def test_a_rule_is_listed_with_all_of_its_condition() -> None:
    assert _condition({"accessory": "fan", "differs": True, "for_s": 30.0}) == "fan differs for_s 30"
    assert (
        _condition({"findings": ["stuck", "drift"], "least_severity": "warning"})
        == "findings stuck, drift least_severity warning"
    )

"""The examples of docs/alerts.md are valid settings, and each of their rules opens an alert."""

import re
from pathlib import Path

import pytest

from server import settings
from server.rules import AvailabilitySettings, Kind, Rule, SiteSettings, Target
from tests.relay.alerts.engine_rig import Rig, finding

DOCS = Path(__file__).parents[3] / "docs" / "alerts.md"
TEXT = DOCS.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


def load(tmp_path: Path, text: str) -> settings.RelaySettings:
    file = tmp_path / "relay.toml"
    file.write_text(text, encoding="utf-8")
    return settings.load(file, {})


def break_it(rig: Rig, rule: Rule, device: str) -> None:
    """Let a device do what the rule is about."""
    engine = rig.engine
    if rule.kind is Kind.THRESHOLD:
        value = rule.above + 1 if rule.above is not None else (rule.below or 0) - 1
        for _ in range(int(rule.for_s // 30) + 2):
            rig.read(value, device, rule.subject, after_s=30)
    elif rule.kind is Kind.RATE:
        rig.read(20.0, device, rule.subject)
        rig.read(20.0 + (rule.rises_by or 0) - (rule.falls_by or 0) * 1.1, device, rule.subject, after_s=30)
    elif rule.kind is Kind.NO_DATA:
        rig.read(1.0, device, rule.subject)
        rig.wait((rule.no_data_s or 0) + 1)
    elif rule.kind is Kind.ACCESSORY:
        engine.accessory(device, rule.subject, status=bool(rule.status), differs=rule.differs)
        rig.wait(rule.for_s + 1)
    elif rule.kind is Kind.OFFLINE:
        engine.availability(device, online=False)
        rig.wait(max(rule.for_s, rig.settings.site.window_s) + 1)
    elif rule.kind is Kind.FINDING:
        engine.findings(device, [finding(rule.findings[0])])
    else:
        engine.availability(device, online=True, flapping=True)


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.splitlines()[0])
def test_an_example_is_valid_and_its_rules_fire(tmp_path, text):
    loaded = load(tmp_path, text)
    for rule in loaded.alerts.rules:
        device = rule.devices[0] if rule.devices else "kitchen"
        rig = Rig(rule, devices=(device, "other"))
        rig.engine.describe(device, rule.tags, retired=False)
        rig.engine.availability(device, online=True)
        break_it(rig, rule, device)
        assert rig.told == [("open", rule.name, device)]


def test_every_setting_of_rules_and_targets_is_told_of():
    names = [*Rule.__struct_fields__, *Target.__struct_fields__, *SiteSettings.__struct_fields__]
    names += AvailabilitySettings.__struct_fields__
    assert [name for name in names if not re.search(rf"\b{name}\b", TEXT)] == []


def test_examples_are_many():
    assert len(EXAMPLES) >= 6

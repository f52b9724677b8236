"""From settings and open parts to accessories, each with its conduct."""

from collections.abc import Sequence

from pi_agent.accessories.base import Accessory, Conduct
from pi_agent.accessories.breathing import BreathingLight
from pi_agent.accessories.hours import Hours, Span
from pi_agent.accessories.infrared import InfraredWatch, MotionListener
from pi_agent.accessories.plain import PlainSwitch
from pi_agent.hardware.factory import Parts
from pi_agent.settings import AgentSettings, BreathingOptions, InfraredWatchOptions, SwitchedOptions
from shared.clock import Clock
from shared.contract.payloads import SafeState


def build_accessories(
    settings: AgentSettings, parts: Parts, on_motion: MotionListener, clock: Clock
) -> Sequence[tuple[Accessory, Conduct]]:
    """Every accessory that has its part. `on_motion` hears of movements. Raises `SettingsError` for a time zone."""
    found: list[tuple[Accessory, Conduct]] = []
    if parts.light is not None:
        breathing = settings.breathing
        light = BreathingLight(
            parts.light,
            period_s=breathing.period_s,
            gamma=breathing.gamma,
            max_level=breathing.max_level,
            frames_per_s=breathing.frames_per_s,
        )
        found.append((light, _conduct(breathing, SafeState.OFF, _hours(settings, clock))))
    if parts.infrared is not None:
        found.append((InfraredWatch(parts.infrared, on_motion), _conduct(settings.infrared, SafeState.OFF)))
    for name, part in parts.switches.items():
        options = settings.accessories[name]
        found.append((PlainSwitch(name, options.title, part), _conduct(options, options.safe)))
    return found


def _conduct(
    options: BreathingOptions | InfraredWatchOptions | SwitchedOptions, safe: SafeState, hours: Hours | None = None
) -> Conduct:
    return Conduct(options.on_at_start, safe, options.link_loss_s, options.longest_lease_s, hours)


def _hours(settings: AgentSettings, clock: Clock) -> Hours | None:
    options, zone = settings.breathing, settings.zone
    if not options.schedule and options.quiet is None:
        return None
    quiet = None if options.quiet is None else Span.parse(options.quiet)
    return Hours([Span.parse(text) for text in options.schedule], quiet, zone, clock)

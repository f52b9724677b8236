"""Start the agent with what was changed from afar, or without it when it does not work."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pi_agent.care.changes import Changes, ChangesFile
from pi_agent.jobs.library import load_scheduler
from pi_agent.libraries import load_libraries
from pi_agent.settings import AgentSettings, outbox_path, read_settings
from shared import logs
from shared.clock import Clock
from shared.settings import SettingsError

if TYPE_CHECKING:
    from pi_agent.app import Agent, Means

log = logging.getLogger(__name__)


def start(
    settings: AgentSettings,
    config: Path | None,
    environ: Mapping[str, str],
    clock: Clock,
    means: "Means | None" = None,
) -> "Agent":
    """Build the agent. `settings` are those of the machine alone; `means` what many agents share.

    Raises what `build_agent` raises, for the machine's own settings.
    """
    file = ChangesFile(outbox_path(settings.outbox, environ).parent)
    changes = file.starting()
    load_scheduler()
    load_libraries(settings.relay.url, *_urls(changes))
    # Only now: it imports the libraries.
    from pi_agent.app import ALONE, build_agent

    means = means or ALONE
    if not changes.settings:
        return build_agent(settings, environ, clock, config, means)
    try:
        return _build(changes, config, environ, clock, means)
    except (SettingsError, OSError) as error:
        if changes.before is None:
            # They worked once; what has changed is at the machine, which must not stand still for it.
            log.error("started without the settings from afar: %s", error)
            return build_agent(settings, environ, clock, config, means)
        return _build(file.undo(str(error)), config, environ, clock, means)


def _build(changes: Changes, config: Path | None, environ: Mapping[str, str], clock: Clock, means: "Means") -> "Agent":
    from pi_agent.app import build_agent

    settings = read_settings(config, environ, changes.settings)
    logs.set_level(settings.log.level)
    return build_agent(settings, environ, clock, config, means)


def _urls(changes: Changes) -> list[str]:
    """Every address of a relay that this start may come to."""
    trees = [tree.get("relay") for tree in (changes.settings, changes.before or {})]
    return [str(tree.get("url", "")) for tree in trees if isinstance(tree, Mapping)]

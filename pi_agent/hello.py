"""What an agent says first."""

from typing import Any

import msgspec

from pi_agent.accessories.commands import Door
from pi_agent.care.diagnostics import about
from pi_agent.hardware.options import Mode
from pi_agent.settings import AgentSettings
from shared import VERSION
from shared.clock import Clock
from shared.contract import CONTRACT_VERSION
from shared.contract.payloads import AccessoryInfo, PiHello


def say_hello(
    settings: AgentSettings,
    token: str | None,
    stream: str,
    clock: Clock,
    run: str,
    accessories: tuple[AccessoryInfo, ...],
    door: Door,
) -> dict[str, Any]:
    """The `auth` object of a connection. `door`: how far the relay's commands have come; `run` names this process."""
    hello = PiHello(
        token=token,
        device=settings.device_name,
        version=VERSION,
        contract=CONTRACT_VERSION,
        boot_id=clock.boot_id,
        run=run,
        stream=stream,
        sample_interval_s=settings.sample_interval_s,
        status_interval_s=settings.status_interval_s,
        heartbeat_interval_s=settings.heartbeat_interval_s,
        ledger=door.ledger,
        seq=door.seq,
        simulated=settings.hardware.mode is not Mode.REAL,
        accessories=accessories,
        about=about(),
    )
    fields: dict[str, Any] = msgspec.to_builtins(hello)
    return fields

"""What a page that joins needs to be right at once."""

from collections.abc import Callable

from server.state.devices import Registry
from shared.clock import Clock, iso_utc
from shared.contract import CONTRACT_VERSION
from shared.contract.payloads import Alert, Snapshot


class Snapshots:
    """Builds snapshots from what the relay knows now."""

    def __init__(
        self,
        registry: Registry,
        clock: Clock,
        cursor: Callable[[], int],
        alerts: Callable[[str | None], tuple[Alert, ...]],
        *,
        demo: bool,
    ) -> None:
        """`cursor` tells how far the database has committed; `alerts` what is open at one device or (None) at all."""
        self._alerts = alerts
        self._registry = registry
        self._clock = clock
        self._cursor = cursor
        self._demo = demo

    def take(self, role: str, device: str | None = None) -> Snapshot:
        """All devices, or the one that the page asked for."""
        return Snapshot.build(
            at=iso_utc(self._clock.now()),
            role=role,
            cursor=self._cursor(),
            devices=tuple(known.snapshot() for known in self._registry if device in (None, known.name)),
            contract=CONTRACT_VERSION,
            demo=self._demo,
            alerts=self._alerts(device),
        )

"""What one device has made of its readings: a round tells only what is new, this is what holds."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from shared.clock import iso_utc, parse_iso_utc
from shared.contract.payloads import DeviceInsight, Finding, FindingKind, Insight, KnownFinding, extend

SPIKE_SHOWN: Final = timedelta(minutes=10)
"""A spike has no end: for so long it is told of."""
_MOST: Final = 64
"""Findings of one device; the oldest go."""
_OF_ONE_RUN: Final = (FindingKind.SPIKE, FindingKind.SILENT, FindingKind.UNUSUAL_MOTION)
"""An agent that starts anew knows nothing of these, and never tells that they ended."""

_Key = tuple[FindingKind, str]


class Insights:
    """Findings, forecast and scores of one device."""

    def __init__(self) -> None:
        self.known: DeviceInsight | None = None
        """None until something was told."""
        self._told: dict[_Key, str] = {}
        """When each finding was last told of, its end included: what is older comes out of a backlog."""
        self._anew = False

    def recall(self, known: DeviceInsight) -> None:
        """Take over what was known before the relay was started."""
        self.known = known
        self._told = {(one.kind, one.quantity): one.at for one in known.findings}

    @property
    def passing(self) -> bool:
        """Whether a round that tells nothing changes what is known."""
        return self.known is not None and bool(self.known.scores or self.known.findings)

    def take(self, insight: Insight | None, taken_at: str) -> bool:
        """Take what a round tells. Returns whether findings or forecast are others than before."""
        if insight is None and not self.passing:
            return False
        before = self.known or DeviceInsight()
        news = insight or Insight()
        findings = self._findings(before.findings, news.findings, taken_at)
        is_newer = bool(news.forecast) and taken_at >= (before.forecast_at or "")
        self.known = DeviceInsight(
            scores=news.scores,
            findings=findings,
            forecast=news.forecast if is_newer else before.forecast,
            forecast_at=taken_at if is_newer else before.forecast_at,
            model=news.model if is_newer else before.model,
        )
        return is_newer or findings != before.findings

    def began_anew(self) -> None:
        """The agent was started again: what it cannot know any more ends with its next round."""
        self._anew = True

    def _findings(
        self, known: Iterable[KnownFinding], news: Iterable[Finding], taken_at: str
    ) -> tuple[KnownFinding, ...]:
        spikes_from = iso_utc(parse_iso_utc(taken_at) - SPIKE_SHOWN)
        held = {
            (one.kind, one.quantity): one
            for one in known
            if (one.kind is not FindingKind.SPIKE or one.at >= spikes_from)
            and not (self._anew and one.kind in _OF_ONE_RUN)
        }
        self._anew = False
        for one in news:
            key = (one.kind, one.quantity)
            if taken_at < self._told.get(key, ""):
                continue
            self._told[key] = taken_at
            held.pop(key, None)
            if one.active:
                held[key] = extend(KnownFinding, one, at=taken_at)
        return tuple(held.values())[-_MOST:]

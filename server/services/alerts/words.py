"""What an alert says, in one line for people."""

from server.rules import Kind, Rule
from shared.contract.quantities import QUANTITIES


def opened(rule: Rule, value: float | None, cause: str = "") -> str:
    """Why `rule` has opened an alert. `value` is the quantity's, `cause` what the device says itself."""
    if rule.message:
        return rule.message
    held = f" for {_span(rule.for_s)}" if rule.for_s else ""
    if rule.kind is Kind.THRESHOLD and value is not None:
        limit = rule.above if rule.above is not None and value > rule.above else rule.below
        side = "above" if limit is rule.above else "below"
        return f"{_title(rule)} is {_amount(rule, value)}, {side} {_amount(rule, limit)}{held}"
    if rule.kind is Kind.RATE:
        moves = [
            f"{way} by more than {_amount(rule, by)}"
            for way, by in (("rose", rule.rises_by), ("fell", rule.falls_by))
            if by is not None
        ]
        now = f"; it is {_amount(rule, value)}" if value is not None else ""
        return f"{_title(rule)} {' or '.join(moves)} within {_span(rule.within_s or 0)}{now}"
    if rule.kind is Kind.NO_DATA:
        return f"{_title(rule)}: no data for {_span(rule.no_data_s or 0)}"
    if rule.kind is Kind.FINDING:
        return f"the device finds: {cause}"[:500]
    if rule.differs:
        return f"{rule.accessory} does not do as it was told{held}"
    if rule.kind is Kind.ACCESSORY:
        return f"{rule.accessory} is {'on' if rule.status else 'off'}{held}"
    return f"the device is {'offline' if rule.kind is Kind.OFFLINE else 'flapping: it comes and goes'}{held}"


def site(gone: int, of: int, window_s: float) -> str:
    """Many devices went at once."""
    return f"site offline: {gone} of {of} devices went within {_span(window_s)}"


def _title(rule: Rule) -> str:
    known = QUANTITIES.get(rule.subject)
    return known.title if known else rule.subject


def _amount(rule: Rule, value: float | None) -> str:
    known = QUANTITIES.get(rule.subject)
    return f"{value:g} {known.unit}".rstrip() if known else f"{value:g}"


def _span(seconds: float) -> str:
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit_s and seconds % unit_s == 0:
            return f"{seconds / unit_s:g} {unit}"
    return f"{seconds:g} s"

"""Alerts over HTTP: what is wrong, what was, and the rules that say so."""

import re
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Blueprint, Response, request

from server.doors.http.answers import answer
from server.doors.http.bodies import device_wanted
from server.doors.http.describe import OPERATORS, VIEWERS, Query, Reply, operation
from server.doors.http.session import allow
from server.doors.http.shapes import AlertDetail, AlertPage, KnownRule, NewRule, Notifications, Rules
from server.rules import Rule, RuleName
from server.security.identity import Gatekeeper, Role
from server.services.alerts.service import Alerts
from server.storage.alerts import Notification
from shared.clock import from_ms, iso_utc
from shared.contract.payloads import Alert, AlertState, Count, DeviceId, parse
from shared.errors import Code, Refusal
from shared.wire import StrictJson

_LIMIT = 100
_MOST = 1_000
_GROUP = "Alerts"
_RULE = {"name": RuleName}


def alert_routes(gatekeeper: Gatekeeper, alerts: Alerts) -> Blueprint:
    """`/api/alerts`: list, show, acknowledge, close; who was told."""
    routes = Blueprint("alerts", __name__)

    @routes.get("/api/alerts")
    @operation(
        "Alerts, newest first.",
        Reply(AlertPage),
        group=_GROUP,
        roles=VIEWERS,
        query=(
            Query("state", AlertState, "Those in one state.", example="open"),
            Query("device", DeviceId, "Those of one device."),
            Query("limit", Count, f"How many at most; {_LIMIT} unless said, never more than {_MOST}."),
            Query("before", Count, "The page after the one that ended with this."),
        ),
    )
    def every() -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        limit = min(_number("limit") or _LIMIT, _MOST)
        page = alerts.page(_state(), device_wanted(), _number("before"), limit)
        following = page[-1][0] if len(page) == limit else None
        return answer({"alerts": [msgspec.to_builtins(alert) for _, alert in page], "before": following})

    @routes.get("/api/alerts/<alert>")
    @operation(
        "One alert: what came of it, and who was told.",
        Reply(AlertDetail),
        group=_GROUP,
        roles=VIEWERS,
        refusals=(Code.UNKNOWN_ALERT,),
    )
    def one(alert: str) -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        found, told = alerts.find(alert)
        history = [{"at": found.opened_at, "state": "open", "message": found.message}]
        if found.acknowledged_at is not None:
            history.append({"at": found.acknowledged_at, "state": "acknowledged", "by": found.acknowledged_by or ""})
        if found.closed_at is not None:
            closed = {"by": found.closed_by} if found.closed_by else {}
            history.append({"at": found.closed_at, "state": "closed", "message": found.closed_because or "", **closed})
        body = {"alert": msgspec.to_builtins(found), "history": history, "notifications": [_news(one) for one in told]}
        return answer(body)

    @routes.post("/api/alerts/<alert>/<any(acknowledge, close):what>")
    @operation(
        "Say of an alert that it was seen, or that it is done with.",
        Reply(Alert, description="How it stands now."),
        group=_GROUP,
        roles=OPERATORS,
        refusals=(Code.UNKNOWN_ALERT, Code.CONFLICT),
    )
    def change(alert: str, what: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(alerts.close(alert, by) if what == "close" else alerts.acknowledge(alert, by))

    @routes.get("/api/alerts/notifications")
    @operation(
        "Who was told of what.",
        Reply(Notifications),
        group=_GROUP,
        roles=VIEWERS,
        query=(Query("alert", str, "Of one alert."),),
    )
    def notifications() -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        told = alerts.told(request.args.get("alert"))
        return answer({"notifications": [_news(one) for one in told]})

    return routes


def rule_routes(gatekeeper: Gatekeeper, alerts: Alerts) -> Blueprint:
    """`/api/alerts/rules`: list, show, put, delete, test."""
    routes = Blueprint("alert_rules", __name__)

    @routes.get("/api/alerts/rules")
    @operation("The rules that say when there is an alert.", Reply(Rules), group=_GROUP, roles=VIEWERS)
    def rules() -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        return answer({"rules": [_rule(rule, fixed=fixed) for rule, fixed in alerts.rules]})

    @routes.get("/api/alerts/rules/<name>")
    @operation("One rule.", Reply(KnownRule), group=_GROUP, roles=VIEWERS, path=_RULE, refusals=(Code.UNKNOWN_RULE,))
    def rule(name: str) -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        wanted = alerts.rule(name)
        return answer(next(_rule(known, fixed=fixed) for known, fixed in alerts.rules if known.name == wanted.name))

    @routes.put("/api/alerts/rules/<name>")
    @operation(
        "Make or change a rule.",
        Reply(KnownRule, description="The rule in use, and what looks wrong with it."),
        group=_GROUP,
        roles=OPERATORS,
        path=_RULE,
        body=NewRule,
        refusals=(Code.CONFLICT,),
        example={"quantity": "temperature", "above": 60, "for_s": 30},
    )
    def put(name: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        body = StrictJson.loads(request.get_data())
        if not isinstance(body, dict) or body.get("name", name) != name:
            raise Refusal(Code.INVALID_PAYLOAD, 'the body is a rule: {"quantity": "temperature", "above": 30}')
        wanted = parse(Rule, {**body, "name": name})
        warnings = alerts.put_rule(wanted, by)
        return answer(_rule(wanted, fixed=False) | {"warnings": warnings})

    @routes.delete("/api/alerts/rules/<name>")
    @operation(
        "Remove a rule; its alerts close.",
        Reply.empty("It is gone."),
        group=_GROUP,
        roles=OPERATORS,
        path=_RULE,
        refusals=(Code.UNKNOWN_RULE, Code.CONFLICT),
    )
    def delete(name: str) -> Response:
        alerts.delete_rule(name, allow(gatekeeper, Role.OPERATOR).name)
        return Response(status=HTTPStatus.NO_CONTENT)

    @routes.post("/api/alerts/rules/<name>/test")
    @operation(
        "Tell a rule's targets something, to see whether it arrives.",
        Reply(Notifications, status=HTTPStatus.ACCEPTED, description="What is on its way."),
        group=_GROUP,
        roles=OPERATORS,
        path=_RULE,
        refusals=(Code.UNKNOWN_RULE, Code.CONFLICT),
    )
    def test(name: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        news = alerts.test(name, by)
        return answer({"notifications": [_news(one) for one in news]}, HTTPStatus.ACCEPTED)

    return routes


def _rule(rule: Rule, *, fixed: bool) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(rule)
    return body | {"kind": rule.kind, "in_settings": fixed}


def _news(news: Notification) -> dict[str, Any]:
    return {
        "id": news.id,
        "alert": news.alert,
        "target": news.target,
        "at": iso_utc(from_ms(news.at_ms)),
        "state": news.state,
        "attempts": news.attempts,
        "error": news.error,
    }


def _state() -> AlertState | None:
    text = request.args.get("state")
    try:
        return AlertState(text) if text else None
    except ValueError:
        raise Refusal(Code.INVALID_PAYLOAD, f"state={(text or '')[:40]!r}: there are {', '.join(AlertState)}") from None


def _number(name: str) -> int | None:
    text = request.args.get(name)
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,15}", text):
        raise Refusal(Code.INVALID_PAYLOAD, f"{name}={text[:40]!r} is no number")
    return int(text)

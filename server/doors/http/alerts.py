"""Alerts over HTTP: what is wrong, what was, and the rules that say so."""

import re
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Blueprint, Response, request

from server.doors.http.answers import answer
from server.doors.http.session import allow
from server.rules import Rule
from server.security.identity import Gatekeeper, Role
from server.services.alerts.service import Alerts
from server.storage.alerts import Notification
from server.storage.records import from_ms
from shared.clock import iso_utc
from shared.contract.payloads import AlertState, parse
from shared.errors import Code, Refusal
from shared.wire import StrictJson

_LIMIT = 100
_MOST = 1_000


def alert_routes(gatekeeper: Gatekeeper, alerts: Alerts) -> Blueprint:
    """`/api/alerts`: list, show, acknowledge, close; who was told."""
    routes = Blueprint("alerts", __name__)

    @routes.get("/api/alerts")
    def every() -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        limit = min(_number("limit") or _LIMIT, _MOST)
        page = alerts.page(_state(), request.args.get("device"), _number("before"), limit)
        following = page[-1][0] if len(page) == limit else None
        return answer({"alerts": [msgspec.to_builtins(alert) for _, alert in page], "before": following})

    @routes.get("/api/alerts/<alert>")
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
    def change(alert: str, what: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(alerts.close(alert, by) if what == "close" else alerts.acknowledge(alert, by))

    @routes.get("/api/alerts/notifications")
    def notifications() -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        told = alerts.told(request.args.get("alert"))
        return answer({"notifications": [_news(one) for one in told]})

    return routes


def rule_routes(gatekeeper: Gatekeeper, alerts: Alerts) -> Blueprint:
    """`/api/alerts/rules`: list, show, put, delete, test."""
    routes = Blueprint("alert_rules", __name__)

    @routes.get("/api/alerts/rules")
    def rules() -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        return answer({"rules": [_rule(rule, fixed=fixed) for rule, fixed in alerts.rules]})

    @routes.get("/api/alerts/rules/<name>")
    def rule(name: str) -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        wanted = alerts.rule(name)
        return answer(next(_rule(known, fixed=fixed) for known, fixed in alerts.rules if known.name == wanted.name))

    @routes.put("/api/alerts/rules/<name>")
    def put(name: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        body = StrictJson.loads(request.get_data())
        if not isinstance(body, dict) or body.get("name", name) != name:
            raise Refusal(Code.INVALID_PAYLOAD, 'the body is a rule: {"quantity": "temperature", "above": 30}')
        wanted = parse(Rule, {**body, "name": name})
        warnings = alerts.put_rule(wanted, by)
        return answer(_rule(wanted, fixed=False) | {"warnings": warnings})

    @routes.delete("/api/alerts/rules/<name>")
    def delete(name: str) -> Response:
        alerts.delete_rule(name, allow(gatekeeper, Role.OPERATOR).name)
        return Response(status=HTTPStatus.NO_CONTENT)

    @routes.post("/api/alerts/rules/<name>/test")
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

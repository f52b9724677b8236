"""check, off, on, clean: a command for one device, a group or all, and what became of it at each."""

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer

from server.cli.follow import Followed, follow
from server.cli.options import DEFAULT_URL, AsJson, Token, Url
from shared.contract.payloads import Accessory, Action, CommandRequest, parse
from shared.errors import Refusal

ALIASES = {"led": Accessory.BREATH_LIGHT, "light": Accessory.BREATH_LIGHT, "infrared": Accessory.INFRARED_SENSOR}


def _option(name: str, kind: Any, default: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)


_ACCESSORY = _option(
    "accessory",
    Annotated[
        str,
        typer.Argument(
            metavar="ACCESSORY", help="breath_light (led), infrared_sensor (infrared), or a name of the device's own."
        ),
    ],
    Parameter.empty,
)
_TARGET = (
    _option("device", Annotated[str | None, typer.Option("--device", "-d", help="One device, by name.")], None),
    _option(
        "tag", Annotated[str | None, typer.Option("--tag", "-t", "--group", "-g", help="All devices of a group.")], None
    ),
    _option("everything", Annotated[bool, typer.Option("--all", help="Every device.")], False),
)
_TTL = _option(
    "ttl",
    Annotated[float, typer.Option("--ttl", help="Seconds in which it must happen, or not at all.", min=0.1, max=86400)],
    10.0,
)
_LEASE = _option(
    "lease",
    Annotated[
        float | None,
        typer.Option("--lease", help="Seconds after which it is safe again by itself, unless renewed.", min=0.1),
    ],
    None,
)
_LIGHT = (
    _option(
        "level",
        Annotated[float | None, typer.Option(help="A light's brightest moment; 1 is full power.", min=0.05, max=1)],
        None,
    ),
    _option(
        "period",
        Annotated[float | None, typer.Option(help="A light's breath in and out, in seconds.", min=0.5, max=60)],
        None,
    ),
    _option("gamma", Annotated[float | None, typer.Option(help="A light's curve.", min=1, max=4)], None),
)
_QUEUE = (
    _option(
        "queue",
        Annotated[bool, typer.Option("--queue", help="Where the device is away: let it wait, for --ttl at most.")],
        False,
    ),
    _option(
        "wait", Annotated[bool, typer.Option("--wait", help="Stay until what is queued has its outcome too.")], False
    ),
)
_RELAY = (_option("url", Url, DEFAULT_URL), _option("token", Token, None), _option("as_json", AsJson, False))


def _command(action: Action, *own: Parameter) -> Callable[..., None]:
    """A command line for `action` with the options that all have, and its `own`."""

    def run(**given: Any) -> None:
        request = _request(action, given)
        followed = Followed(given["url"], given["token"], as_json=given["as_json"], wait=given.get("wait", False))
        follow(request, followed)

    positional = () if action is Action.CLEAN else (_ACCESSORY,)
    run.__signature__ = Signature([*positional, *_TARGET, *own, _TTL, *_RELAY])  # type: ignore[attr-defined]  # Typer reads it
    run.__doc__ = _HELP[action]
    return run


_HELP = {
    Action.CHECK: """Ask an accessory to report what it is.

    Example: pi-relay check led --device kitchen
    """,
    Action.ON: """Turn an accessory on; done when the device has read its pin back.

    Example: pi-relay on led --device kitchen --lease 600
    """,
    Action.OFF: """Turn an accessory off; done when the device has read its pin back.

    Example: pi-relay off fan --tag lab --queue --ttl 3600
    """,
    Action.CLEAN: """Turn everything off but the sensors; names the devices that do not answer.

    Example: pi-relay clean --all
    """,
}

check = _command(Action.CHECK)
on = _command(Action.ON, _LEASE, *_LIGHT)
off = _command(Action.OFF, *_QUEUE)
clean = _command(Action.CLEAN, *_QUEUE)


def _request(action: Action, given: dict[str, Any]) -> CommandRequest:
    target = {"device": given["device"], "tag": given["tag"], "all": given["everything"] or None}
    if sum(value is not None for value in target.values()) != 1:
        raise typer.BadParameter("name one of --device NAME, --tag NAME and --all")
    light = {"level": given.get("level"), "period_s": given.get("period"), "gamma": given.get("gamma")}
    accessory = given.get("accessory")
    fields = {
        "action": action,
        "accessory": accessory and ALIASES.get(accessory.lower(), accessory),
        "ttl_s": given["ttl"],
        "lease_s": given.get("lease"),
        "light": _present(light) or None,
        "queue": given.get("queue") or None,
        **target,
    }
    try:
        return parse(CommandRequest, _present(fields))
    except Refusal as refusal:
        raise typer.BadParameter(refusal.message) from None


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}

"""A worker that carries connections for the primary: the other composition root, beside `server.app`."""

from flask import Flask, Response

from server import listener
from server.cluster.carrier import Carrier
from server.cluster.forward import Forward
from server.doors.http.answers import answer, handle_errors
from server.doors.http.shapes import Health
from server.fanout.arduino import is_esp32
from server.metrics import Metrics
from server.security.front import MAX_BODY_BYTES, Front, proxied
from server.security.identity import token_from
from server.settings import RelaySettings
from shared import VERSION
from shared.clock import Clock
from shared.contract import CONTRACT_VERSION


class Worker:
    """A carrier with its HTTP application, built and not yet listening."""

    def __init__(self, settings: RelaySettings, clock: Clock, name: str) -> None:
        """`name` is how people know it. Raises `SettingsError`."""
        self.carrier = carrier = Carrier(settings, clock, name)
        self.flask = Flask("server", static_folder=None)
        self.flask.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        carrier.carriage.attach(self.flask)
        handle_errors(self.flask, Metrics())
        self.flask.wsgi_app = proxied(  # type: ignore[method-assign]
            Front(
                Forward(self.flask.wsgi_app, lambda: carrier.address, name),
                demo=settings.demo,
                allowed_hosts=settings.allowed_hosts,
                allowed_origins=settings.allowed_origins,
                read_body=listener.read_body,
                # Whose token it is, the primary finds out.
                from_device=lambda environ: is_esp32(environ) or token_from(environ) is not None,
            ),
            behind_proxy=settings.behind_proxy,
        )

        @self.flask.get("/healthz")
        def healthz() -> tuple[Response, int]:
            linked = carrier.address is not None
            body = Health(
                ok=linked,
                version=VERSION,
                contract=CONTRACT_VERSION,
                database="ok" if linked else "unavailable",
                role="worker",
            )
            return answer(body), 200 if linked else 503

"""The page: files that Vite has built, and nothing from anywhere else."""

from http import HTTPStatus
from pathlib import Path

from flask import Blueprint, Response, request, send_from_directory

from server.doors.http.describe import OPEN, Reply, operation
from shared.errors import Code

BUILT = Path(__file__).parents[2] / "dashboard" / "static"
_GROUP = "Pages"
_PAGE = (
    Reply(media="text/html", description="The page."),
    Reply(media="text/html", status=HTTPStatus.SERVICE_UNAVAILABLE, description="It has not been built."),
)
_FILE = Reply(media="*/*", description="The file.")
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self' ws: wss:; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>Breathlight</title>
<p>The relay runs, but its page has not been built. Run <code>make dashboard</code>, then load this page again."""


def page_routes(built: Path = BUILT) -> Blueprint:
    """The pages and their files. Names of files carry a hash, so that they may be cached for ever; a page may not."""
    routes = Blueprint("page", __name__)
    _pages(routes, built)
    _files(routes, built)
    _headers(routes)
    return routes


def _pages(routes: Blueprint, built: Path) -> None:
    def page(file: str) -> Response:
        if not (built / file).exists():
            return Response(_NOT_BUILT, status=503, mimetype="text/html")
        return _fresh(built, file)

    @routes.get("/")
    @operation("The page.", *_PAGE, group=_GROUP, roles=OPEN)
    def index() -> Response:
        return page("index.html")

    @routes.get("/temperature")
    @operation("The page of the live temperature.", *_PAGE, group=_GROUP, roles=OPEN)
    def temperature() -> Response:
        return page("temperature.html")

    @routes.get("/api/websocket/test")
    @operation("The stress monitor's test page, with a simulated ESP32.", *_PAGE, group=_GROUP, roles=OPEN)
    def websocket_test() -> Response:
        return page("websocket-test.html")

    @routes.get("/docs")
    @operation("The contract: every event and operation, with examples.", *_PAGE, group=_GROUP, roles=OPEN)
    def reference() -> Response:
        return page("reference.html")


def _files(routes: Blueprint, built: Path) -> None:
    @routes.get("/client.js")
    @operation(
        "The client for pages of one's own, an ES module.",
        Reply(media="text/javascript", description="The module."),
        group=_GROUP,
        roles=OPEN,
        refusals=(Code.NOT_FOUND,),
        download=True,
    )
    def client() -> Response:
        return _fresh(built, "client.js")

    @routes.get("/types/<path:name>")
    @operation("Its types.", _FILE, group=_GROUP, roles=OPEN, refusals=(Code.NOT_FOUND,), download=True)
    def types(name: str) -> Response:
        return _fresh(built / "types", name)

    @routes.get("/assets/<path:name>")
    @operation("The page's files.", _FILE, group=_GROUP, roles=OPEN, refusals=(Code.NOT_FOUND,), download=True)
    def asset(name: str) -> Response:
        response = send_from_directory(built / "assets", name)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    @routes.get("/<any('favicon.svg', 'favicon.ico', 'manifest.webmanifest'):name>")
    @operation("The page's icons.", _FILE, group=_GROUP, roles=OPEN, refusals=(Code.NOT_FOUND,), download=True)
    def icon(name: str) -> Response:
        return send_from_directory(built, name)


def _headers(routes: Blueprint) -> None:
    @routes.after_app_request
    def share(response: Response) -> Response:
        # The front has refused every origin that is neither this relay's own nor in `allowed_origins`.
        if origin := request.headers.get("Origin"):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
            response.headers.add("Vary", "Origin")
        return response

    @routes.after_app_request
    def harden(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", _CSP)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        return response


def _fresh(directory: Path, file: str) -> Response:
    """A file that keeps its name: it may be kept, and is asked for again each time."""
    response = send_from_directory(directory, file)
    response.headers["Cache-Control"] = "no-cache"
    return response

"""What leaves the house: signed, to where the settings say and nowhere else, and no secret comes back."""

import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from server.rules import Target
from server.services.alerts import courier
from server.services.alerts.notifier import carry
from tests.support.webhook import Receiver

SECRET = "0123456789abcdef"


def letter(id_: int = 7, **alert: Any) -> dict[str, Any]:
    body = json.dumps({"event": "opened", "alert": {"message": "zu heiß", **alert}})
    return {"id": id_, "body": body, "title": "hot", "text": "it is hot", "severity": "critical"}


def target(**fields: str) -> Target:
    return msgspec.convert({"name": "ops", **fields}, Target)


def test_a_webhook_is_signed_over_its_time_and_body():
    with Receiver(SECRET) as receiver:
        assert carry(target(webhook=receiver.url, secret=SECRET), [letter(1), letter(2)]) == [None, None]
    assert receiver.deliveries == ["1", "2"]
    assert receiver.bad == 0
    assert receiver.got[0]["alert"]["message"] == "zu heiß"


def test_a_receiver_with_another_secret_refuses_it():
    with Receiver("another secret of it") as receiver:
        assert carry(target(webhook=receiver.url, secret=SECRET), [letter()]) == ["HTTP 401"]
    assert receiver.got == []


def test_a_redirect_is_not_followed():
    with Receiver(SECRET) as elsewhere, Receiver(SECRET, answer=(302, {"Location": elsewhere.url})) as receiver:
        assert carry(target(webhook=receiver.url, secret=SECRET), [letter()]) == ["HTTP 302"]
        assert (elsewhere.got, elsewhere.bad) == ([], 0)


def test_nobody_at_the_address_is_an_error_and_not_an_end():
    [error] = carry(target(webhook="http://127.0.0.1:9/x", secret=SECRET), [letter()])
    assert "refused" in (error or "")


def test_apprise_delivers_to_what_it_knows():
    with Receiver(None) as receiver:
        address = receiver.url.replace("http://", "json://").partition("?")[0]
        assert carry(target(apprise=address), [letter()]) == [None]
    [said] = receiver.got
    assert (said["title"], said["message"], said["type"]) == ("hot", "it is hot", "failure")


def test_what_apprise_cannot_deliver_is_an_error_without_its_words():
    [error] = carry(target(apprise="json://127.0.0.1:9/hunter2"), [letter()])
    assert (error or "").startswith("apprise could not deliver it")
    assert "hunter2" not in (error or "")


def test_what_apprise_does_not_know_is_told_without_the_address():
    [error] = carry(target(apprise="nothing://user:hunter2@host"), [letter()])
    assert error == "apprise does not know this kind of address"


def test_secrets_are_not_on_the_command_line_and_do_not_come_back():
    order = {
        "webhook": "",
        "secret": "",
        "apprise": "mailto://user:hunter2@example.org?smtp=127.0.0.1&port=9",
        "letters": [letter()],
    }
    done = subprocess.run(
        [sys.executable, "-m", courier.__name__], input=json.dumps(order), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "hunter2" not in done.stdout + done.stderr
    assert json.loads(done.stdout)[0].startswith("apprise could not deliver it")


def test_a_courier_that_cannot_start_is_an_error_for_each_letter(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert (
        carry(target(apprise="json://localhost"), [letter(), letter()]) == ["the courier failed: FileNotFoundError"] * 2
    )


def test_an_address_that_cannot_be_is_refused_and_never_told() -> None:
    said = courier.post("http://127.0.0.1:1/a secret", "s" * 16, {"id": 1, "body": "{}"}, 0.0)
    assert said == "InvalidURL"
    for address in ("http://host/a secret", "http://host/a\nsecret", "http://host/\u00e4"):
        with pytest.raises(msgspec.ValidationError, match="no http or https address") as refused:
            msgspec.convert({"name": "ops", "webhook": address, "secret": "s" * 16}, Target)
        assert "host" not in str(refused.value)

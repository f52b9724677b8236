"""A device that says of itself what is not so harms nobody, and not even itself for ever; nor do hasty people."""

import sqlite3
import threading
import time
from contextlib import closing

from tests.support.processes import RelayProcess
from tests.support.raw import RawClient


def test_an_agent_cannot_say_that_it_is_behind_another_door(relay: RelayProcess) -> None:
    hello = {"device": "pi-liar", "contract": "1.0"}
    with RawClient(relay.url, "/pi", {**hello, "door": "mqtt"}) as client:
        assert client.call("LED_status_pub_pi", {"status": False})[0]["ok"] is True
    with RawClient(relay.url, "/pi", hello) as client:
        assert client.call("LED_status_pub_pi", {"status": True})[0]["ok"] is True


def test_a_device_that_comes_back_while_it_is_deleted_is_told_to_come_again(relay: RelayProcess) -> None:
    hello = {"device": "pi-twice", "contract": "1.0"}
    with RawClient(relay.url, "/pi", hello) as client:
        assert client.call("LED_status_pub_pi", {"status": False})[0]["ok"] is True
    answers = []
    delete = "/api/devices/pi-twice?confirm=pi-twice"
    deleting = threading.Thread(target=lambda: answers.append(relay.http("DELETE", delete)))
    with closing(sqlite3.connect(relay.state / "relay.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        deleting.start()
        time.sleep(0.5)  # it waits for the database
        client = RawClient(relay.url, "/pi", hello)
        other.execute("ROLLBACK")
    with client:
        assert client.event("error_pub")["code"] == "replaced"
        deleting.join(10)
        assert answers == [(204, "")]
    with RawClient(relay.url, "/pi", hello) as again:
        assert again.call("LED_status_pub_pi", {"status": False})[0]["ok"] is True


def test_two_who_rearrange_one_device_at_once_do_not_get_in_each_others_way(relay: RelayProcess) -> None:
    for name in ("pi-old", "pi-new"):
        with RawClient(relay.url, "/pi", {"device": name, "contract": "1.0"}) as client:
            assert client.call("LED_status_pub_pi", {"status": False})[0]["ok"] is True
    answers: list[int] = []
    wishes = (
        ("POST", "/api/devices/pi-new/replace", {"old": "pi-old"}),
        ("DELETE", "/api/devices/pi-old?confirm=pi-old", None),
        ("POST", "/api/devices/pi-old/merge", {"into": "pi-new"}),
        ("PATCH", "/api/devices/pi-old", {"title": "Attic"}),
    )
    with closing(sqlite3.connect(relay.state / "relay.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asking = [threading.Thread(target=lambda wish=wish: answers.append(relay.http(*wish)[0])) for wish in wishes]
        for one in asking:
            one.start()
            time.sleep(0.2)
        other.execute("ROLLBACK")
    for one in asking:
        one.join(10)
    assert sorted(answers) == [200, 409, 409, 409]
    assert {one["device"] for one in relay.get("/api/devices")["devices"]} >= {"pi-new"}
    assert relay.device("pi-old") == {}

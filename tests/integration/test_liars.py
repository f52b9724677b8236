"""A device that says of itself what is not so harms nobody, and not even itself for ever."""

from tests.support.processes import RelayProcess
from tests.support.raw import RawClient


def test_an_agent_cannot_say_that_it_is_behind_another_door(relay: RelayProcess) -> None:
    hello = {"device": "pi-liar", "contract": "1.0"}
    with RawClient(relay.url, "/pi", {**hello, "door": "mqtt"}) as client:
        assert client.call("LED_status_pub_pi", {"status": False})[0]["ok"] is True
    with RawClient(relay.url, "/pi", hello) as client:
        assert client.call("LED_status_pub_pi", {"status": True})[0]["ok"] is True

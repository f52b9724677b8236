"""What was acked is there after a kill; what a page missed comes in order; a backup restores."""

import json
from pathlib import Path
from typing import Any

from tests.support import processes
from tests.support.processes import RelayProcess, wait_for
from tests.support.raw import RawClient


def body(number: int, value: float = 20.0) -> dict[str, Any]:
    return {
        "id": number,
        "stream": "s1",
        "datetime": "2026-01-31 23:59:59",
        "taken_at": f"2026-01-31T22:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
        "fail": [],
        "data": {"temperature": value},
    }


def send(device: RawClient, numbers: range) -> None:
    for number in numbers:
        assert device.call("sensor_data_pub_pi", body(number))[0]["code"] == "stored"


def ledger(relay: RelayProcess) -> dict[str, Any]:
    [stream] = [entry for entry in relay.get("/api/devices/pi-7/ledger")["streams"] if entry["stream"] == "s1"]
    return stream


def test_what_was_acked_survives_a_kill_and_a_resend_is_no_second_one(tmp_path: Path) -> None:
    first = processes.start_relay(tmp_path)
    with RawClient(first.url, "/pi", {"device": "pi-7", "contract": "1.0"}) as device:
        send(device, range(1, 31))
        first.process.kill()
    with processes.relay(tmp_path, port=first.port) as second:
        assert second.device("pi-7")["readings"]["temperature"]["value"] == 20.0
        assert second.device("pi-7")["online"] is False
        with RawClient(second.url, "/client") as page, RawClient(second.url, "/pi", {"device": "pi-7"}) as device:
            page.event("snapshot_pub_client")
            assert device.call("LED_status_pub_pi", {"status": True})
            answer = device.call("sensor_data_pub_pi", body(30))
            assert answer == [True, "receive", 200]
            device.call("sensor_data_pub_pi", body(31, 25.0))
            shown = page.event("sensor_data_pub_client")
            assert (shown["id"], shown["data"]["temperature"]) == (31, 25.0)
        kept = ledger(second)
        assert (kept["stored"], kept["highest"], kept["missing"]) == (31, 31, [])


def test_a_page_that_comes_back_gets_what_it_missed_in_order_then_what_is_live(tmp_path: Path) -> None:
    with (
        processes.relay(tmp_path) as relay,
        RawClient(relay.url, "/pi", {"device": "pi-7", "contract": "1.0"}) as device,
    ):
        with RawClient(relay.url, "/client") as page:
            cursor = page.event("snapshot_pub_client")["cursor"]
            send(device, range(1, 4))
            for _ in range(3):
                cursor = page.event("sensor_data_pub_client")["cursor"]
        send(device, range(4, 1204))
        with RawClient(relay.url, "/client", {"since": cursor}) as page:
            seen = []
            while (frame := page.frame()) and "snapshot_pub_client" not in frame:
                if "sensor_data_pub_client" in frame:
                    seen.append(json.loads(frame[frame.index("[") :])[1]["id"])
            send(device, range(1204, 1207))
            seen += [page.event("sensor_data_pub_client")["id"] for _ in range(3)]
        # The last frame that it saw carried a cursor before its own: that one may come again, and none may be missing.
        assert list(dict.fromkeys(seen)) == list(range(seen[0], 1207))
        assert seen[0] <= 4
        assert seen == sorted(seen)
        with RawClient(relay.url, "/client", {"since": 10_000_000}) as page:
            assert page.event("error_pub")["code"] == "replay_incomplete"
            assert page.event("snapshot_pub_client")["devices"]


def test_a_page_may_ask_for_a_replay(tmp_path: Path) -> None:
    with (
        processes.relay(tmp_path) as relay,
        RawClient(relay.url, "/pi", {"device": "pi-7", "contract": "1.0"}) as device,
        RawClient(relay.url, "/client") as page,
    ):
        send(device, range(1, 6))
        for _ in range(5):
            page.event("sensor_data_pub_client")
        page.emit("replay_request_client", {"since": 0}, ack=3)
        assert [page.event("sensor_data_pub_client")["id"] for _ in range(5)] == [1, 2, 3, 4, 5]
        [ack] = page.acked(3)
        assert (ack["ok"], ack["cursor"]) == (True, 5)


def test_a_gap_with_a_drop_record_is_explained(tmp_path: Path) -> None:
    with (
        processes.relay(tmp_path) as relay,
        RawClient(relay.url, "/pi", {"device": "pi-7", "contract": "1.0"}) as device,
    ):
        send(device, range(1, 4))
        send(device, range(8, 10))
        assert ledger(relay)["missing"] == [[4, 7]]
        drop = {"id": 10, "stream": "s1", "reason": "overflow", "count": 4, "first_id": 4, "last_id": 7}
        assert device.call("drop_pub_pi", drop)[0]["code"] == "stored"
        kept = ledger(relay)
        assert kept["missing"] == []
        assert [(gone["first"], gone["last"], gone["reason"]) for gone in kept["dropped"]] == [(4, 7, "overflow")]
        assert relay.cli("doctor").returncode == 0


def test_a_backup_of_a_running_relay_restores(tmp_path: Path) -> None:
    target = tmp_path / "relay.backup"
    with processes.relay(tmp_path / "one") as relay:
        with RawClient(relay.url, "/pi", {"device": "pi-7", "contract": "1.0"}) as device:
            send(device, range(1, 51))
        made = relay.cli("db", "backup", str(target))
        assert made.returncode == 0, made.stderr
        refused = relay.cli("db", "restore", str(target))
        assert refused.returncode == 2, refused.stdout
    with processes.relay(tmp_path / "two") as other:
        pass
    restored = other.cli("db", "restore", str(target))
    assert restored.returncode == 0, restored.stderr
    with processes.relay(tmp_path / "two") as other:
        assert ledger(other)["stored"] == 50
        report = json.loads(other.cli("doctor", "--json").stdout)
        assert (report["events"], report["corrupt"], report["lost"]) == (50, 0, 0)


def test_a_damaged_database_is_saved_from_and_the_damage_is_told(tmp_path: Path) -> None:
    with processes.relay(tmp_path) as relay:
        with RawClient(relay.url, "/pi", {"device": "pi-7", "contract": "1.0"}) as device:
            send(device, range(1, 301))
    file = tmp_path / "relay.db"
    damaged = bytearray(file.read_bytes())
    damaged[:100] = b"\xff" * 100
    file.write_bytes(damaged)
    relay = processes.start_relay(tmp_path)
    try:
        wait_for("it tells", lambda: "database was damaged" in relay.process.log)
        with RawClient(relay.url, "/pi", {"device": "pi-8", "contract": "1.0"}) as device:
            assert device.call("sensor_data_pub_pi", body(1))[0]["code"] == "stored"
        assert list(tmp_path.glob("relay.db.damaged-*"))
    finally:
        relay.process.stop()


def test_exports_stream_everything(tmp_path: Path) -> None:
    with (
        processes.relay(tmp_path) as relay,
        RawClient(relay.url, "/pi", {"device": "pi-7", "contract": "1.0"}) as device,
    ):
        send(device, range(1, 21))
        span = "from=2026-01-31T00:00:00Z&to=2026-02-01T00:00:00Z"
        lines = relay.get(f"/api/devices/pi-7/readings.csv?{span}").splitlines()
        assert lines[0] == "device,quantity,unit,taken_at,value"
        assert len(lines) == 21
        rows = [json.loads(line) for line in relay.get(f"/api/devices/pi-7/readings.ndjson?{span}").splitlines()]
        assert [row["value"] for row in rows] == [20.0] * 20
        chart = relay.get(f"/api/devices/pi-7/readings?quantity=temperature&points=10&{span}")
        assert 0 < len(chart["points"]) <= 10
        for query in ("quantity=humidity", "", "quantity=temperature&points=x", "quantity=temperature&from=yesterday"):
            assert relay.http("GET", f"/api/devices/pi-7/readings?{query}")[0] in (200, 404, 422)
        assert relay.http("GET", "/api/devices/pi-7/readings?quantity=nonsense")[1]["code"] == "unknown_quantity"
        assert (
            relay.http("GET", "/api/devices/pi-7/readings?quantity=temperature&from=x")[1]["code"] == "invalid_payload"
        )

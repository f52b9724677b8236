"""Models on disk: whatever lies there, a good one serves or none."""

import errno
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_agent.training.features import HASH, NAMES
from pi_agent.training.model import ForecastModel, Horizon, seal, unseal
from pi_agent.training.store import KEPT, ModelStore
from shared.model_file import ModelRefused, ModelTrouble


def model(**changed: Any) -> ForecastModel:
    horizon = Horizon(
        quantity="temperature",
        minutes=60,
        gate=1.0,
        bias=0.0,
        weights=(0.1,) * len(NAMES),
        low=-1.0,
        high=1.0,
        mae=0.1,
        mae_persistence=0.2,
    )
    fields: dict[str, Any] = {
        "schema": 1,
        "features": HASH,
        "slot": 2_900_000,
        "samples": 2000,
        "days": 14.0,
        "horizons": (horizon,),
    }
    return ForecastModel(**(fields | changed))


def file(store: Path, number: int) -> Path:
    return store / f"climate-{number:06d}.json"


def resealed(tree: dict[str, Any]) -> bytes:
    """A file whose hash is right, whatever the model in it."""
    import hashlib

    body = msgspec.json.encode(tree)
    return msgspec.json.encode({"sha256": hashlib.sha256(body).hexdigest(), "model": msgspec.Raw(body)})


def test_versions_count_up_and_the_newest_serves(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    assert store.serving() is None
    assert store.rollback() is None
    assert [store.add(model(samples=number)) for number in (1, 2, 3)] == [1, 2, 3]
    serving = store.serving()
    assert serving is not None
    assert (serving.number, serving.model) == (3, model(samples=3))


def test_rollback_goes_one_back_and_the_next_training_goes_on(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    for number in (1, 2, 3):
        store.add(model(samples=number))
    assert [version.number for version in (store.rollback(), store.rollback()) if version] == [2, 1]
    assert store.rollback() is None
    assert [version.serving for version in store.versions()] == [True, False, False]
    assert store.add(model()) == 4


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    for _ in range(KEPT + 3):
        store.add(model())
    assert [version.number for version in store.versions()] == [4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (b"", ModelTrouble.CORRUPT),
        (b"\x00" * 100, ModelTrouble.CORRUPT),
        (seal(model())[:-200], ModelTrouble.CORRUPT),
        (seal(model()).replace(b"0.1", b"0.7", 1), ModelTrouble.CORRUPT),
        (b'{"hello": 1}', ModelTrouble.FOREIGN),
        (b"[1, 2]", ModelTrouble.FOREIGN),
        (b"\x80\x04\x95pickle", ModelTrouble.CORRUPT),
        (resealed({"some": "json"}), ModelTrouble.FOREIGN),
        (resealed(msgspec.to_builtins(model(schema=2))), ModelTrouble.OTHER_SCHEMA),
        (resealed(msgspec.to_builtins(model(features="0" * 16))), ModelTrouble.OTHER_FEATURES),
        (resealed(msgspec.to_builtins(model()) | {"horizons": []}), ModelTrouble.FOREIGN),
        (resealed(msgspec.to_builtins(model()) | {"code": "import os"}), ModelTrouble.FOREIGN),
        (b'"' + b"x" * 300_000 + b'"', ModelTrouble.FOREIGN),
    ],
)
def test_what_is_no_model_is_refused_and_the_one_before_serves(
    tmp_path: Path, content: bytes, trouble: ModelTrouble
) -> None:
    store = ModelStore(tmp_path)
    store.add(model(samples=1))
    store.add(model(samples=2))
    file(tmp_path, 2).write_bytes(content)
    serving = store.serving()
    assert serving is not None
    assert serving.number == 1
    (refused,) = [version for version in store.versions() if version.model is None]
    assert refused.number == 2
    assert str(refused.trouble).startswith(trouble)


@pytest.mark.parametrize("current", [b"", b"9\n", b"../../etc\n", b"\xff\xfe", None])
def test_a_lost_or_wrong_pointer_lets_the_newest_serve(tmp_path: Path, current: bytes | None) -> None:
    store = ModelStore(tmp_path)
    store.add(model(samples=1))
    store.add(model(samples=2))
    if current is None:
        (tmp_path / "current").unlink()
    else:
        (tmp_path / "current").write_bytes(current)
    serving = store.serving()
    assert serving is not None
    assert serving.number == 2


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_takes_nothing_leaves_the_old_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store = ModelStore(tmp_path)
    store.add(model(samples=1))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os if step == "fsync" else Path, step, full)
    with pytest.raises(OSError, match="No space"):
        store.add(model(samples=2))
    monkeypatch.undo()
    serving = store.serving()
    assert serving is not None
    assert serving.number == 1
    assert {path.name for path in tmp_path.iterdir()} == {"climate-000001.json", "current", ".lock"}


@given(position=st.integers(0, 2000), value=st.integers(0, 255))
@settings(max_examples=200)
def test_one_changed_byte_is_noticed(position: int, value: int) -> None:
    data = bytearray(seal(model()))
    position %= len(data) - 1  # the line's end may be anything that JSON ignores
    if data[position] == value:
        return
    data[position] = value
    with pytest.raises(ModelRefused):
        unseal(bytes(data))


def test_a_model_that_could_not_be_loaded_is_never_stored(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    with pytest.raises(ModelRefused):
        store.add(model(features="other"))
    assert store.versions() == []

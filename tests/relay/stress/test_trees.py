"""A model file is loaded whole or refused with a code; a new one replaces the old one whole or not at all."""

import contextlib
import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.stress import trees
from server.stress.trees import StressModel, Tree
from server.stress.windows import HASH, NAMES
from shared.model_file import ModelRefused, ModelTrouble

STUMP = Tree(feature=(3,), threshold=(0.5,), yes=(-1,), no=(-2,), leaf=(-2.0, 2.0))
MODEL = StressModel(
    schema=trees.SCHEMA,
    features=HASH,
    trained_on=(),
    windows=7,
    claims=None,
    base=0.0,
    scale=1.0,
    offset=0.0,
    trees=(STUMP,),
)
ROW = [0.0] * len(NAMES)


def sealed(body: Any) -> bytes:
    """`body` in a file whose hash is right."""
    data = json.dumps(body).encode()
    return json.dumps({"sha256": hashlib.sha256(data).hexdigest(), "model": "BODY"}).encode().replace(b'"BODY"', data)


def body(**changes: Any) -> dict[str, Any]:
    return {**msgspec.to_builtins(MODEL), **changes}


def tree(**changes: Any) -> list[Any]:
    return [{**msgspec.to_builtins(STUMP), **changes}]


def test_a_saved_model_is_loaded_as_it_was(tmp_path: Path) -> None:
    size = trees.save(MODEL, tmp_path / "model.json")
    assert trees.load(tmp_path / "model.json") == MODEL
    assert (tmp_path / "model.json").stat().st_size == size
    assert [one.name for one in tmp_path.iterdir()] == ["model.json"]


def test_a_tree_asks_whether_a_feature_is_at_most_its_threshold() -> None:
    at, above = list(ROW), list(ROW)
    at[3], above[3] = 0.5, 0.500001
    assert (STUMP.value(at), STUMP.value(above)) == (-2.0, 2.0)
    assert Tree(feature=(), threshold=(), yes=(), no=(), leaf=(3.0,)).value(ROW) == 3.0
    assert MODEL.probability(at) == pytest.approx(1 / (1 + 2.718281828459045**2))


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_a_probability_never_overflows(scale: float) -> None:
    for row in (ROW, [1.0] * len(NAMES)):
        assert 0 <= msgspec.structs.replace(MODEL, scale=scale).probability(row) <= 1


def test_the_shipped_model_is_sound_small_and_says_what_it_is_worth() -> None:
    model = trees.load()
    assert trees.SHIPPED.stat().st_size <= trees.MOST_BYTES
    assert model.claims is not None
    assert model.claims.model.subjects == len(model.trained_on)


@pytest.mark.parametrize(
    ("data", "trouble"),
    [
        (b"", ModelTrouble.CORRUPT),
        (b"not JSON", ModelTrouble.CORRUPT),
        (b"\xff\xfe", ModelTrouble.CORRUPT),
        (pickle.dumps({"a": 1}), ModelTrouble.CORRUPT),
        (trees.seal(MODEL)[:-40], ModelTrouble.CORRUPT),
        (b'{"sha256": "", "model": ' + b"[" * 90_000, ModelTrouble.CORRUPT),
        (trees.seal(MODEL).replace(b'"windows":7', b'"windows":8'), ModelTrouble.CORRUPT),
        (b"{}", ModelTrouble.FOREIGN),
        (b"[1, 2]", ModelTrouble.FOREIGN),
        (b" " * (trees.MOST_BYTES + 1), ModelTrouble.FOREIGN),
        (sealed([]), ModelTrouble.FOREIGN),
        (sealed({"a": 1}), ModelTrouble.FOREIGN),
        (sealed(body(schema=trees.SCHEMA + 1)), ModelTrouble.OTHER_SCHEMA),
        (sealed(body(schema=0, features="?")), ModelTrouble.OTHER_SCHEMA),
        (sealed(body(features="0123456789abcdef")), ModelTrouble.OTHER_FEATURES),
        (sealed(body(extra=1)), ModelTrouble.FOREIGN),
        (sealed(body(trees=[])), ModelTrouble.FOREIGN),
        (sealed(body(scale=0)), ModelTrouble.FOREIGN),
        (sealed(body(scale=-1)), ModelTrouble.FOREIGN),
        (sealed(body(base=1e300)), ModelTrouble.FOREIGN),
        (sealed(body(trees=tree(feature=[len(NAMES)]))), ModelTrouble.FOREIGN),
        (sealed(body(trees=tree(yes=[0]))), ModelTrouble.FOREIGN),
        (sealed(body(trees=tree(no=[-3]))), ModelTrouble.FOREIGN),
        (sealed(body(trees=tree(yes=[1]))), ModelTrouble.FOREIGN),
        (sealed(body(trees=tree(threshold=[0.1, 0.2]))), ModelTrouble.FOREIGN),
        (sealed(body(trees=tree(leaf=[]))), ModelTrouble.FOREIGN),
    ],
)
def test_a_file_that_must_not_serve_is_refused_by_a_stable_code(
    tmp_path: Path, data: bytes, trouble: ModelTrouble
) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(data)
    with pytest.raises(ModelRefused) as refused:
        trees.load(path)
    assert refused.value.trouble is trouble
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there_or_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ModelRefused) as refused:
            trees.load(path)
        assert refused.value.trouble is ModelTrouble.UNREADABLE


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(trees.seal(MODEL)) - 1), byte=st.integers(0, 255))
def test_one_wrong_byte_never_makes_another_model(at: int, byte: int) -> None:
    data = bytearray(trees.seal(MODEL))
    data[at] = byte
    with contextlib.suppress(ModelRefused):
        assert trees.unseal(bytes(data)) == MODEL


def test_a_model_that_could_not_be_loaded_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    trees.save(MODEL, path)
    with pytest.raises(ModelRefused):
        trees.save(msgspec.structs.replace(MODEL, scale=float("nan")), path)
    assert trees.load(path) == MODEL


@pytest.mark.parametrize("step", ["fsync", "write"])
def test_a_full_disk_leaves_the_model_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "model.json"
    trees.save(MODEL, path)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        trees.save(msgspec.structs.replace(MODEL, offset=1.0), path)
    assert trees.load(path) == MODEL
    assert [one.name for one in tmp_path.iterdir()] == ["model.json"]

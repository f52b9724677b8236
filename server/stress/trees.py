"""The stress model: boosted trees and Platt's scaling, as JSON numbers; runs without scikit-learn and NumPy.

A file holds a schema version, the hash of the feature list and a SHA-256; one that does not fit is refused. Never a
pickle.
"""

import hashlib
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from server.stress import windows
from server.stress.claims import Claims, Count
from shared.model_file import ModelRefused, ModelTrouble, require_schema, seal_bytes, unseal_tree

SCHEMA: Final = 1
MOST_BYTES: Final = 100_000
SHIPPED: Final = Path(__file__).with_name("model.json")
"""The model that comes with the relay; `docs/stress-model.md` is its card."""

Finite = Annotated[float, Meta(ge=-1e9, le=1e9)]
Positive = Annotated[float, Meta(gt=0, le=1e9)]


class Tree(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision tree. Node n asks whether feature `feature[n]` is at most `threshold[n]`.

    If so, it goes on at `yes[n]`, else at `no[n]`: a later node, or, where negative, leaf `~yes[n]`. Node 0 is the
    root; a tree without nodes is its only leaf.
    """

    feature: tuple[Annotated[int, Meta(ge=0, lt=len(windows.NAMES))], ...]
    threshold: tuple[Finite, ...]
    yes: tuple[int, ...]
    no: tuple[int, ...]
    leaf: Annotated[tuple[Finite, ...], Meta(min_length=1)]

    def value(self, features: Sequence[float]) -> float:
        """The leaf's value for `features`."""
        node = 0 if self.feature else -1
        while node >= 0:
            node = (self.yes if features[self.feature[node]] <= self.threshold[node] else self.no)[node]
        return self.leaf[~node]

    def sound(self) -> bool:
        """Whether every branch leads to a later node or to a leaf that exists: no walk can go astray or round."""
        nodes, leaves = len(self.feature), len(self.leaf)
        return len(self.threshold) == len(self.yes) == len(self.no) == nodes and all(
            n < after < nodes or -leaves <= after < 0 for side in (self.yes, self.no) for n, after in enumerate(side)
        )


class StressModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Trees over the features of a window, scaled to a probability of stress."""

    schema: int
    features: str
    trained_on: tuple[Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")], ...]
    """Fingerprints of the recordings: on these the model must not be judged."""
    windows: Count
    claims: Claims | None
    """Null: too few subjects for any."""
    base: Finite
    scale: Positive
    offset: Finite
    trees: Annotated[tuple[Tree, ...], Meta(min_length=1)]

    def score(self, features: Sequence[float]) -> float:
        """The sum of the trees for `features` in the order of `windows.NAMES`; without unit."""
        total = self.base
        for tree in self.trees:
            total += tree.value(features)
        return total

    def probability(self, features: Sequence[float]) -> float:
        """The probability of stress, 0 to 1."""
        exponent = self.scale * self.score(features) + self.offset
        if exponent >= 0:
            return 1 / (1 + math.exp(-exponent))
        power = math.exp(exponent)  # the other form would overflow
        return power / (1 + power)

    def version(self) -> str:
        """A short name: the beginning of the model's SHA-256."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]


def seal(model: StressModel) -> bytes:
    """`model` as a file. Raises `ModelRefused` for one that could not be loaded again."""
    data = seal_bytes(msgspec.json.encode(model))
    unseal(data)
    return data


def unseal(data: bytes) -> StressModel:
    """The model of a file. Raises `ModelRefused`."""
    if len(data) > MOST_BYTES:
        raise ModelRefused(ModelTrouble.FOREIGN, f"it is longer than {MOST_BYTES} bytes")
    tree = unseal_tree(data)
    require_schema(tree, SCHEMA)
    if tree.get("features") != windows.HASH:
        raise ModelRefused(ModelTrouble.OTHER_FEATURES, "it was trained on other features; train it anew")
    try:
        model = msgspec.convert(tree, StressModel)
    except msgspec.ValidationError as error:
        raise ModelRefused(ModelTrouble.FOREIGN, str(error)) from None
    if not all(tree.sound() for tree in model.trees):
        raise ModelRefused(ModelTrouble.FOREIGN, "a branch of a tree leads nowhere")
    return model


def load(path: Path = SHIPPED) -> StressModel:
    """The model at `path`. Raises `ModelRefused`."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ModelRefused(ModelTrouble.UNREADABLE, f"{path}: {error.strerror or error}") from None
    try:
        return unseal(data)
    except ModelRefused as refused:
        raise ModelRefused(refused.trouble, f"{path}: {str(refused).partition(': ')[2]}") from None


def save(model: StressModel, path: Path) -> int:
    """Put `model` at `path`, whole or not at all; its size in bytes. Raises `OSError`, `ModelRefused`.

    Whoever dies in the middle of it leaves the file that was there before.
    """
    data = seal(model)
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return len(data)

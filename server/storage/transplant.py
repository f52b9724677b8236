"""The first pages of a SQLite file: where its tables begin. Without them nothing else in it can be found.

Every database that the same migrations made has the same schema on the same pages, so a damaged one can be read with
those of a new one. Whether what is then found is right, the hashes of its rows tell.
"""

from collections.abc import Iterator
from pathlib import Path

_HEADER = 100
_INTERIOR = 5
_SIZE_AT = 28
_FREE_AT = 32


def transplant(new: Path, damaged: Path) -> None:
    """Give `damaged`, which is a copy, the schema of `new`, an empty database of the same migrations."""
    donor = new.read_bytes()
    size = _page_size(donor)
    with damaged.open("r+b") as file:
        file.seek(0, 2)
        pages = file.tell() // size
        for number in _schema_pages(donor, 1, size):
            page = bytearray(donor[(number - 1) * size : number * size])
            if number == 1:
                # Its length is its own; its free pages are not needed to read it.
                page[_SIZE_AT : _SIZE_AT + 4] = pages.to_bytes(4, "big")
                page[_FREE_AT : _FREE_AT + 8] = bytes(8)
            file.seek((number - 1) * size)
            file.write(page)


def _page_size(raw: bytes) -> int:
    stored = int.from_bytes(raw[16:18], "big")
    return 65_536 if stored == 1 else stored


def _schema_pages(raw: bytes, number: int, size: int) -> Iterator[int]:
    """The pages of the table of tables: page 1 and, where it is an interior page of the tree, those below it."""
    yield number
    page = raw[(number - 1) * size : number * size]
    start = _HEADER if number == 1 else 0
    if page[start] != _INTERIOR:
        return
    cells = int.from_bytes(page[start + 3 : start + 5], "big")
    for cell in range(cells):
        at = int.from_bytes(page[start + 12 + 2 * cell : start + 14 + 2 * cell], "big")
        yield from _schema_pages(raw, int.from_bytes(page[at : at + 4], "big"), size)
    yield from _schema_pages(raw, int.from_bytes(page[start + 8 : start + 12], "big"), size)

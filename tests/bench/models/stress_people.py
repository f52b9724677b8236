"""Labelled recordings of people: any `stress*_1hz.csv.gz`, as `pi-relay stress` reads them."""

from pathlib import Path

from server.stress.recordings import Recording, read_csv

PATTERN = "stress*_1hz.csv.gz"


def read_people(data: Path) -> tuple[Recording, ...]:
    """Every recording. Raises `FileNotFoundError` where there is no such file."""
    found = tuple(recording for file in sorted(data.glob(PATTERN)) for recording in read_csv(file))
    if not found:
        raise FileNotFoundError(f"{data} has no {PATTERN}")
    return found

"""Labelled recordings: every fault of a CSV file is told with file, line and column."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.stress.readings import Reason
from server.stress.recordings import Sample, TrainingRefused, TrainingTrouble, examples, read_csv
from server.stress.windows import WARM_UP_S
from tests.relay.stress.people import person, write_csv

HEADER = "subject,t,hr,temp,eda,label\n"
GOOD = "a,0,70,33,1.0,0\n"


def refused(path: Path, text: str | bytes) -> TrainingRefused:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(TrainingRefused) as error:
        read_csv(path)
    assert str(path) in str(error.value)
    return error.value


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    people = [person(1), person(2)]
    plain = write_csv(tmp_path / "a.csv", people)
    assert read_csv(plain) == tuple(people)
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_csv(packed) == tuple(people)


def test_columns_may_come_in_any_order_with_others_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        "\ufefflabel,note,eda,temp,hr, t,subject\r\n1,x,1.5,33,70,2.5,a\r\n\r\n0,,,nan,71,3,a\r\n".encode()
    )
    (recording,) = read_csv(path)
    assert recording.samples == (Sample(2.5, 70.0, 33.0, 1.5, True), Sample(3.0, 71.0, None, None, False))


@pytest.mark.parametrize("missing", ["subject", "t", "hr", "temp", "eda", "label"])
def test_a_missing_column_is_named(tmp_path: Path, missing: str) -> None:
    header = ",".join(name for name in HEADER.strip().split(",") if name != missing)
    error = refused(tmp_path / "a.csv", header + "\n1,2,3,4,5\n")
    assert error.trouble is TrainingTrouble.MISSING_COLUMN
    assert f"line 1: no column {missing};" in str(error)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("a,1,fast,33,1,0", "line 3, column hr: 'fast'"),
        ("a,1,70,warm,1,0", "line 3, column temp: 'warm'"),
        ("a,1,70,33,inf,0", "line 3, column eda: 'inf'"),
        ("a,1,70,33,1,2", "line 3, column label: '2'"),
        ("a,1,70,33,1,", "line 3, column label: ''"),
        ("a,1,70,33,1", "line 3, column label: the line ends before it"),
        ("a,,70,33,1,0", "line 3, column t: it is empty"),
        ("a,noon,70,33,1,0", "line 3, column t: 'noon'"),
        ("a,-1,70,33,1,0", "line 3, column t: -1 comes after 0"),
        (",1,70,33,1,0", "line 3, column subject: it is empty"),
    ],
)
def test_a_wrong_value_is_told_with_line_and_column(tmp_path: Path, line: str, place: str) -> None:
    error = refused(tmp_path / "a.csv", HEADER + GOOD + line + "\n")
    assert error.trouble is TrainingTrouble.INVALID_VALUE
    assert place in str(error)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"\x80\x81\x82"),
        ("a.csv.gz", b"no gzip"),
        ("b.csv.gz", gzip.compress((HEADER + GOOD * 9).encode(), mtime=0)[:-9]),
        ("a.csv", (HEADER + 'a,"0,70\n').encode()),
        ("a.csv", (HEADER + "a" * 200_000).encode()),
    ],
)
def test_a_file_that_is_no_csv_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    assert refused(tmp_path / name, data).trouble is TrainingTrouble.UNREADABLE


def test_what_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "a.csv", HEADER).trouble is TrainingTrouble.NO_WINDOWS
    assert refused(tmp_path / "a.csv", "").trouble is TrainingTrouble.MISSING_COLUMN
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(TrainingRefused) as error:
            read_csv(path)
        assert error.value.trouble is TrainingTrouble.UNREADABLE


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_at_all_break_the_reader(tmp_path_factory: pytest.TempPathFactory, data: bytes, after: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes((HEADER + GOOD).encode() + data if after else data)
    try:
        assert read_csv(path)
    except TrainingRefused as error:
        assert str(path) in str(error)  # noqa: PT017 - it may also be read


def test_an_example_every_ten_seconds_with_what_is_known_of_it() -> None:
    found, unknown = examples([person(1)])
    assert unknown == {Reason.WARMING_UP: WARM_UP_S // 10}
    assert [one.at_s for one in found] == [float(second) for second in range(WARM_UP_S, 1080, 10)]
    by_second = {int(one.at_s): one for one in found}
    assert (by_second[410].stress, by_second[410].pure, by_second[410].until_stress_s) == (False, True, 10)
    assert (by_second[440].stress, by_second[440].pure) == (False, False)
    assert (by_second[450].stress, by_second[450].since_change_s) == (True, 30)
    assert (by_second[480].pure, by_second[480].until_stress_s) == (True, None)
    assert by_second[410].since_change_s is None


def test_a_fingerprint_is_of_what_was_measured_not_of_the_name_or_the_clock() -> None:
    one = person(1)
    moved = one._replace(subject="x", samples=tuple(s._replace(at_s=s.at_s + 1e9) for s in one.samples))
    assert moved.fingerprint() == one.fingerprint() != person(2).fingerprint()

"""pi-relay stress: a good model or none at all, figures as a table or as JSON, and clear errors."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.cli import app, stress
from server.stress import trees
from tests.relay.stress.people import people, write_csv
from tests.support.processes import wait_for

RUNNER = CliRunner()


def run(*words: str | Path) -> tuple[int, str, str]:
    done = RUNNER.invoke(app, ["stress", *map(str, words)])
    return done.exit_code, done.stdout, " ".join(done.stderr.split())


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("stress") / "people.csv", people(6))


def test_train_writes_a_model_and_says_what_it_is_worth(csv: Path, tmp_path: Path) -> None:
    code, out, err = run("train", "--csv", csv, "--out", tmp_path / "model.json")
    assert code == 0, err
    model = trees.load(tmp_path / "model.json")
    assert model.claims is not None
    assert f"{model.claims.model.auc:.3f}" in out
    for words in ("time only", "macro-F1", "ECE", "onset of stress", model.version()):
        assert words in out
    code, out, _ = run("train", "--csv", csv, "--out", tmp_path / "again.json", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["version"] == model.version()
    assert told["evaluation"]["time_only"]["scores"]["auc"] == model.claims.time_only.auc
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "model.json").read_bytes()


def test_evaluate_prints_json_where_it_is_asked_to(csv: Path) -> None:
    code, out, err = run("evaluate", "--csv", csv, "--json")
    assert code == 0, err
    assert len(json.loads(out)["subjects"]) == 6


def test_a_model_is_judged_as_it_is_on_people_it_has_not_seen(csv: Path, tmp_path: Path) -> None:
    code, out, err = run("evaluate", "--csv", csv, "--model", "shipped", "--json")
    assert code == 0, err
    assert json.loads(out)["scores"]["subjects"] == 6
    assert run("train", "--csv", csv, "--out", tmp_path / "model.json")[0] == 0
    code, _, err = run("evaluate", "--csv", csv, "--model", tmp_path / "model.json")
    assert (code, "too_few_subjects" in err) == (1, True)
    code, _, err = run("evaluate", "--csv", csv, "--model", tmp_path / "none.json")
    assert (code, "model_unreadable" in err) == (1, True)


def test_with_too_few_subjects_nothing_is_claimed(tmp_path: Path) -> None:
    few = write_csv(tmp_path / "few.csv", people(4))
    code, _, err = run("evaluate", "--csv", few)
    assert code == 1
    assert "too_few_subjects: 4 with windows" in err
    code, out, _ = run("train", "--csv", few, "--out", tmp_path / "model.json")
    assert code == 0
    assert "no claims" in out
    assert "AUC" not in out
    assert trees.load(tmp_path / "model.json").claims is None


def test_a_csv_that_cannot_be_read_leaves_the_old_model(tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("subject,t,hr,temp,eda,label\na,0,70,33,1.0,0\na,1,x,33,1.0,0\n", encoding="utf-8")
    out = tmp_path / "model.json"
    out.write_bytes(trees.SHIPPED.read_bytes())
    code, _, err = run("train", "--csv", bad, "--out", out)
    assert code == 1
    assert "csv_invalid_value" in err
    assert "line 3, column hr: 'x' is not a number" in err
    assert out.read_bytes() == trees.SHIPPED.read_bytes()


def test_a_place_where_nothing_can_be_written_is_told_before_the_work(csv: Path, tmp_path: Path) -> None:
    for out in (tmp_path, tmp_path / "none" / "model.json"):
        code, _, err = run("train", "--csv", csv, "--out", out)
        assert code == 2
        assert "--out" in err


def test_a_full_disk_is_told_and_leaves_the_old_model(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model.json"
    out.write_bytes(trees.SHIPPED.read_bytes())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = run("train", "--csv", csv, "--out", out)
    assert (code, "No space left on device" in err) == (1, True)
    assert out.read_bytes() == trees.SHIPPED.read_bytes()


def test_without_scikit_learn_it_says_what_to_install(csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stress, "find_spec", lambda _: None)
    code, _, err = run("evaluate", "--csv", csv)
    assert code == 2
    assert "breathlight[ml]" in err


@pytest.mark.integration
def test_training_that_is_killed_leaves_the_old_model(tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "many.csv", people(30))
    out = tmp_path / "model.json"
    out.write_bytes(trees.SHIPPED.read_bytes())
    command = [sys.executable, "-m", "server", "stress", "train", "--csv", str(csv), "--out", str(out)]
    training = subprocess.Popen(command, cwd=Path(__file__).parents[3], stdout=subprocess.DEVNULL)
    try:
        wait_for("training to be at work", lambda: _cpu_s(training.pid) > 2.5 or training.poll() is not None)
        assert training.poll() is None
        training.send_signal(signal.SIGKILL)
        assert training.wait(10) == -signal.SIGKILL
    finally:
        training.kill()
        training.wait()
    assert out.read_bytes() == trees.SHIPPED.read_bytes()
    assert {one.name for one in tmp_path.iterdir()} == {"many.csv", "model.json"}


def _cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has used; see proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

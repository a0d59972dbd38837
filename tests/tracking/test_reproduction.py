"""The notes on a run that git and MLflow do not hold entirely; tests/pipeline reproduces runs."""

import shutil
import subprocess
from dataclasses import replace

import pytest

from drnsr.cli import main
from drnsr.errors import UserError
from drnsr.project import run_folder
from drnsr.tracking.outbox import Cursor, Destination, Outbox
from drnsr.tracking.record import find_record, record_of_model
from drnsr.tracking.reproduction import check_out, input_notes, was_made_here
from drnsr.tracking.runs import begin_run, describe_run
from drnsr.tracking.store import TrackingError, experiment_id, open_store
from tests.conftest import PROJECT

CONFIG = {
    "model": {"name": "drnsr"},
    "data": {"name": "sample", "folder": None, "single": None},
    "benchmark": {"sample_test": {"folder": None}},
    "folder": "data/own",
    "init_from": None,
    "trainer": {"precision": "32-true"},
    "scale": 2,
    "seed": 0,
}


@pytest.fixture
def recorded(tmp_path, monkeypatch, empty_database):
    """Calls that record a run of a project's folder as it is then."""
    shutil.copyfile(empty_database, tmp_path / "mlflow.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "src/code.py").write_bytes(b"one = 1\r\n")
    (project / "start.safetensors").write_bytes(b"\0committed")
    (project / "dvc.yaml").touch()
    monkeypatch.chdir(project)
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "as it is"]):
        subprocess.run(["git", *command], check=True)
    store = open_store()

    def record(**changes):
        description = describe_run(CONFIG | changes, {"train": "f" * 64}, "a training")
        return find_record(begin_run(store, experiment_id(store, "test"), description))

    record.project = project
    return record


@pytest.fixture
def no_dvc(monkeypatch):
    """The project of these tests is none of DVC's."""
    monkeypatch.setattr("drnsr.tracking.reproduction.run_dvc", lambda folder, *arguments: None)


def test_a_patch_keeps_the_ends_of_its_lines(recorded):
    (recorded.project / "src/code.py").write_bytes(b"one = 2\r\n")
    record = recorded()
    assert "+one = 2\r\n" in record.patch
    assert (record.left_out, record.dirty) == ((), True)
    assert list(input_notes(record)) == []


def test_a_work_tree_has_the_commit_with_the_changes(recorded, no_dvc):
    (recorded.project / "src/code.py").write_bytes(b"one = 2\r\n")
    record = recorded()
    (recorded.project / "src/code.py").write_bytes(b"one = 3\r\n")
    (recorded.project / "mine").mkdir()
    (recorded.project / "mine/1.png").write_bytes(b"\0")
    folder = recorded.project / "reproduced/a"
    check_out(record, folder, ["mine"])
    assert (folder / "src/code.py").read_bytes() == b"one = 2\r\n"
    assert (folder / "mine/1.png").read_bytes() == b"\0"
    status = ["git", "-C", str(folder), "status", "--porcelain", "src"]
    assert subprocess.run(status, capture_output=True, check=True).stdout == b" M src/code.py\n"
    assert [path.name for path in folder.parent.iterdir()] == ["a"]
    (folder / "src/code.py").write_bytes(b"what was done there since\n")
    check_out(record, folder, ["mine"])
    assert (folder / "src/code.py").read_bytes() == b"what was done there since\n"


def test_changes_that_do_not_apply_are_refused_each_time(recorded, no_dvc):
    (recorded.project / "src/code.py").write_bytes(b"one = 2\r\n")
    record = recorded()
    broken = replace(record, patch=record.patch.replace("one = 1", "one = 7"))
    folder = recorded.project / "reproduced/a"
    for _ in range(2):
        with pytest.raises(UserError, match=r"its changes do not apply to commit .*code.py"):
            check_out(broken, folder, [])
        assert list(folder.parent.iterdir()) == []
    check_out(record, folder, [])
    assert (folder / "src/code.py").read_bytes() == b"one = 2\r\n"


def test_the_work_tree_of_other_code_is_refused(recorded, no_dvc):
    record = recorded()
    folder = recorded.project / "reproduced/a"
    check_out(record, folder, [])
    (recorded.project / "src/code.py").write_bytes(b"one = 2\r\n")
    for other, place in ((recorded(), folder), (record, recorded.project)):
        with pytest.raises(UserError, match=r"is no work tree of run .* name another --into"):
            check_out(other, place, [])


def test_only_the_full_hash_of_a_commit_names_one(recorded):
    record = recorded()
    for name in ("HEAD", "HEAD~0", "master", "--orphan", "unknown", "0" * 39):
        with pytest.raises(UserError, match="is not the full hash of a commit"):
            list(input_notes(replace(record, commit=name)))


def test_a_folder_with_other_files_is_refused(recorded, no_dvc):
    folder = recorded.project / "mine"
    folder.mkdir()
    (folder / "notes.txt").touch()
    with pytest.raises(OSError, match="not empty") as caught:
        check_out(recorded(), folder, [])
    assert caught.value.filename == str(folder)
    (folder / "notes.txt").unlink()
    check_out(recorded(), folder, [])
    assert (folder / "src/code.py").exists()


def test_code_from_elsewhere_is_shown_and_runs_only_with_consent(recorded, no_dvc, capsys):
    (recorded.project.parent / "params.yaml").touch()
    (recorded.project / "src/code.py").write_bytes(b"one = 'evil \x1b[2J'\n")
    record = recorded()
    arguments = ["reproduce", record.run_id, "--into", "again"]

    def refused():
        with pytest.raises(SystemExit, match="was made elsewhere, and its code was not run; --yes"):
            main(arguments)
        return not (recorded.project / "again").exists()

    assert refused()
    printed = capsys.readouterr().out
    assert f"runs the code of commit {record.commit} with these changes:" in printed
    assert "+one = 'evil \\x1b[2J'" in printed
    description = describe_run(CONFIG, {"train": "f" * 64}, "a training")
    outbox = Outbox.begin(run_folder("f" * 64), Destination(None, "test"), description)
    outbox.move_cursor(Cursor(record.run_id))
    assert was_made_here(record)
    # A store that others write to may have changed the run since.
    assert not was_made_here(replace(record, patch=record.patch + "+more"))
    assert not was_made_here(replace(record, commit="0" * 40))
    (outbox.folder / "run.json").write_text("{}")
    assert refused()
    with pytest.raises(SystemExit, match=r"resolved\.yaml"):  # there is no DVC to write it
        main([*arguments, "--yes"])
    assert b"evil" in (recorded.project / "again/src/code.py").read_bytes()


def test_sources_that_are_not_recorded_are_named(recorded):
    (recorded.project / "src/table.bin").write_bytes(b"\0")
    (recorded.project / "a picture.png").write_bytes(b"\0")  # no result depends on it
    record = recorded()
    assert set(record.left_out) == {"src/table.bin", "a picture.png"}
    (line,) = input_notes(record)
    assert "src/table.bin" in line
    assert "its result may depend on it" in line


def test_files_of_the_users_that_the_run_read_are_named(recorded):
    assert list(input_notes(recorded(init_from="start.safetensors"))) == []  # git has it
    (recorded.project / "start.safetensors").write_bytes(b"\0changed")
    (line,) = input_notes(recorded(init_from="start.safetensors"))
    assert "read start.safetensors, which is not recorded; its current state is used" in line
    (recorded.project / "mine").mkdir()
    (recorded.project / "mine/1.png").write_bytes(b"\0")
    record = recorded(data=CONFIG["data"] | {"folder": "mine"})
    (line,) = input_notes(record)
    assert "read mine, which is not recorded" in line
    shutil.rmtree(recorded.project / "mine")
    with pytest.raises(UserError, match="it read mine, which is not recorded and not here"):
        list(input_notes(record))
    assert list(input_notes(recorded(init_from="/somewhere/else.safetensors"))) == []


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "[1]",
            "a: !!python/object/apply:os.abort []",
            "[" * 3000,
            "model: x\n",
            "model: {}\n",
        ),
        "model: " + "{a: " * 40 + "1" + "}" * 40,  # YAML reads it, and OmegaConf does not
        "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]\n" for n in range(1, 12)),
    ],
    ids=[
        *("empty", "a list", "a tag", "deep", "no keys", "too few keys", "quite deep"),
        "grows by references",
    ],
)
def test_the_damaged_configuration_of_a_run_is_named(recorded, text):
    run_id = recorded().run_id
    open_store().log_text(run_id, text, "config.yaml")
    with pytest.raises(TrackingError, match=f"{run_id}: the configuration of this run is damaged"):
        find_record(run_id)


def test_functions_that_only_a_run_from_elsewhere_names_are_not_called(recorded):
    record = recorded(loss={"_target_": "os.abort"})
    shutil.copyfile(PROJECT / "params.yaml", recorded.project / "params.yaml")
    (recorded.project.parent / "params.yaml").touch()
    with pytest.raises(SystemExit, match=r"calls functions that no file of conf/ names; --yes"):
        main(["adopt", record.run_id])
    assert (recorded.project / "params.yaml").read_text() == (PROJECT / "params.yaml").read_text()


def test_only_a_hash_enters_a_query_of_mlflow(recorded):
    recorded()
    for text in ("", "x", "a' OR tags.`drnsr.data` != '", "A" * 64):
        with pytest.raises(TrackingError, match="has no run that made the model"):
            record_of_model(text)

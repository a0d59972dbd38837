"""Results are taken from DVC's cache, here and in a colleague's clone."""

import json
import re
import shutil

import pytest

from tests.pipeline.conftest import Project
from tests.tracking.services import S3_ACCOUNT, s3_bucket


def changes(project):
    return project.run("git", "status", "--short").stdout


@pytest.fixture
def committed(another):
    """The finished project with what the graph made in git and DVC's remote."""
    storage = another.root.parent / "storage"
    another.call("dvc", "remote", "add", "--default", "storage", str(storage))
    another.run("git", "add", "-A")
    another.run("git", "commit", "-qm", "finished")
    another.call("dvc", "push", "--run-cache")
    return another


@pytest.mark.slow
def test_the_same_again_changes_nothing(committed):
    for name in ("data/prepared", "models", "metrics", "pictures"):
        shutil.rmtree(committed.root / name)
    (committed.root / "reports/index.html").unlink()
    assert committed.ran(committed.call("dvc", "repro")) == []
    assert changes(committed) == ""
    # Nor does another training with other times, another MLflow run and another commit.
    (first,) = (committed.root / "reports/times").iterdir()
    times = first.read_text()
    shutil.rmtree(committed.root / "runs")
    committed.run("git", "commit", "--allow-empty", "-qm", "another")
    committed.run_stages("train", "evaluate", "report")
    assert first.read_text() != times
    committed.call("dvc", "commit", "--force", "train", "evaluate", "report")
    assert changes(committed) == ""


@pytest.mark.slow
def test_a_colleague_runs_nothing(committed):
    root = committed.root.parent / "colleague"
    committed.run("git", "clone", "-q", str(committed.root), str(root))
    colleague = Project(root, committed.environment)
    colleague.call("dvc", "pull", "--run-cache")
    result = colleague.call("dvc", "repro")
    assert colleague.ran(result) == []
    assert "Data and pipelines are up to date" in result.stdout
    assert changes(colleague) == ""
    for name in ("models/model.safetensors", "reports/index.html", "metrics/benchmark.json"):
        assert (root / name).read_bytes() == (committed.root / name).read_bytes()
    # The times are not here; what is written here says that nothing was measured here.
    assert not (root / "reports/times").exists()
    colleague.run_stages("report")
    assert changes(colleague) == ""
    (times,) = (root / "reports/times").iterdir()
    assert times.name in (root / "reports/index.html").read_text()
    page = json.loads(re.search(r"\((\{.*\})\)", times.read_text())[1])
    assert '<th scope="row">training</th><td>not measured here</td>' in page["cost"]


@pytest.mark.slow
def test_a_colleague_runs_nothing_with_a_storage_in_s3(another):
    pytest.importorskip("dvc_s3")
    with s3_bucket("team") as url:
        owner = Project(another.root, {**another.variables, **S3_ACCOUNT})
        owner.call("dvc", "remote", "add", "--default", "storage", "s3://team/drnsr")
        owner.call("dvc", "remote", "modify", "storage", "endpointurl", url)
        owner.run("git", "add", "-A")
        owner.run("git", "commit", "-qm", "finished")
        owner.call("dvc", "push")
        pulled, unpulled = (
            Project(another.root.parent / name, owner.variables) for name in ("pulled", "unpulled")
        )
        for colleague in (pulled, unpulled):
            owner.run("git", "clone", "-q", str(owner.root), str(colleague.root))
        pulled.call("dvc", "pull")
        assert "Data and pipelines are up to date" in pulled.call("dvc", "repro").stdout
        assert unpulled.ran(unpulled.call("dvc", "repro", "--pull")) == []
    for colleague in (pulled, unpulled):
        assert changes(colleague) == ""
        for name in ("models/model.safetensors", "reports/index.html", "metrics/benchmark.json"):
            assert (colleague.root / name).read_bytes() == (another.root / name).read_bytes()
        # MLflow's runs are in its store, which is not a part of this.
        assert not (colleague.root / "mlflow.db").exists()
    described = pulled.call("drnsr", "info", "models/model.safetensors").stdout
    assert "MLflow run" not in described


@pytest.mark.slow
def test_an_archive_runs_without_git(another):
    another.run("git", "add", "-A")
    another.run("git", "commit", "-qm", "finished")
    root = another.root.parent / "archive"
    root.mkdir()
    another.run("sh", "-c", f"git archive HEAD | tar -x -C {root}")
    shutil.copytree(another.root / ".dvc/cache", root / ".dvc/cache")
    archive = Project(root, another.environment)
    assert archive.ran(archive.call("dvc", "repro")) == []
    # A stage that is really run asks git for the commit.
    archive.run_stages("report")
    (times,) = (root / "reports/times").iterdir()
    assert "git commit</th><td><code>unknown" in times.read_text()

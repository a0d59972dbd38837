"""Results are taken from DVC's cache, here and in a colleague's clone."""

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
    another.run("dvc", "remote", "add", "--default", "storage", str(storage))
    another.run("git", "add", "-A")
    another.run("git", "commit", "-qm", "finished")
    another.run("dvc", "push", "--run-cache")
    return another


@pytest.mark.slow
def test_the_same_again_changes_nothing(committed):
    for name in ("data/prepared", "models", "metrics", "pictures", "reports"):
        shutil.rmtree(committed.root / name)
    assert committed.ran(committed.run("dvc", "repro")) == []
    assert changes(committed) == ""
    # The report is that of the first run: with its commit, times and MLflow run.
    committed.run_stages("train", "report")
    committed.run("dvc", "commit", "--force", "train", "report")
    assert changes(committed) == ""


@pytest.mark.slow
def test_a_colleague_runs_nothing(committed):
    root = committed.root.parent / "colleague"
    committed.run("git", "clone", "-q", str(committed.root), str(root))
    colleague = Project(root, committed.environment)
    colleague.run("dvc", "pull", "--run-cache")
    result = colleague.run("dvc", "repro")
    assert colleague.ran(result) == []
    assert "Data and pipelines are up to date" in result.stdout
    assert changes(colleague) == ""
    for name in ("models/model.safetensors", "reports/index.html", "metrics/benchmark.json"):
        assert (root / name).read_bytes() == (committed.root / name).read_bytes()
    # A report that is written here says that nothing was measured here.
    colleague.run_stages("report")
    page = (root / "reports/index.html").read_text()
    assert '<th scope="row">training</th><td>not measured here</td>' in page


@pytest.mark.slow
def test_a_colleague_runs_nothing_with_a_storage_in_s3(another):
    pytest.importorskip("dvc_s3")
    with s3_bucket("team") as url:
        owner = Project(another.root, {**another.variables, **S3_ACCOUNT})
        owner.run("dvc", "remote", "add", "--default", "storage", "s3://team/drnsr")
        owner.run("dvc", "remote", "modify", "storage", "endpointurl", url)
        owner.run("git", "add", "-A")
        owner.run("git", "commit", "-qm", "finished")
        owner.run("dvc", "push")
        pulled, unpulled = (
            Project(another.root.parent / name, owner.variables) for name in ("pulled", "unpulled")
        )
        for colleague in (pulled, unpulled):
            owner.run("git", "clone", "-q", str(owner.root), str(colleague.root))
        pulled.run("dvc", "pull")
        assert "Data and pipelines are up to date" in pulled.run("dvc", "repro").stdout
        assert unpulled.ran(unpulled.run("dvc", "repro", "--pull")) == []
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
    assert archive.ran(archive.run("dvc", "repro")) == []
    # A stage that is really run asks git for the commit.
    archive.run_stages("report")
    assert (
        '<th scope="row">git commit</th><td><code>unknown'
        in (root / "reports/index.html").read_text()
    )

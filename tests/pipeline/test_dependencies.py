"""Each stage of dvc.yaml depends on all the code and parameters that it reads."""

import grimp
import pytest
import yaml

from drnsr.config.schema import TRAINING_KEYS
from pipelines.evaluate import EVALUATION_CODE
from pipelines.train import TRAINING_CODE
from tests.conftest import PROJECT

STAGES = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]

# No output depends on these: writing files, reporting errors, tracking, and measuring the cost.
NO_INPUT = {
    "drnsr",
    "drnsr.atomic",
    "drnsr.errors",
    "drnsr.images.encoding",
    "drnsr.locks",
    "drnsr.project",
    "drnsr.reporting.costs",
    "drnsr.reporting.sweep",
    "drnsr.signals",
    "drnsr.terminal",
    "drnsr.verbosity",
    "pipelines",
    "pipelines.announce",
    "pipelines.app",
    "pipelines.multirun",
    "pipelines.paths",
    "pipelines.ray_tasks",
    "pipelines.results",
    "pipelines.sharing",
    "pipelines.tracked",
}


def imported(stage):
    """Return all modules of this project that a stage imports, directly or not."""
    graph = grimp.build_graph("drnsr", "pipelines")
    # Tracking records what is made, and the configuration is checked and not changed. By hand, a
    # training may prepare its data and is followed by an evaluation. The package itself imports
    # what people ask it for, and no stage does.
    for name in [m for m in graph.modules if m.startswith(("drnsr.tracking", "drnsr.config"))]:
        graph.remove_module(name)
    for each in graph.find_modules_directly_imported_by("drnsr"):  # all below it stays
        graph.remove_import(importer="drnsr", imported=each)
    if stage == "train":
        for name in ("fetch", "prepare", "evaluate"):
            graph.remove_module(f"pipelines.{name}")
    return graph.find_upstream_modules(f"pipelines.{stage}") - NO_INPUT


def test_the_networks_are_found_where_they_are_used():
    for stage in ("train", "evaluate"):
        assert "drnsr.networks.base" in imported(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_an_edit_of_any_module_that_a_stage_uses_reruns_it(stage):
    deps = STAGES[stage]["deps"]
    for module in imported(stage):
        path = f"{'src/' * module.startswith('drnsr')}{module.replace('.', '/')}"
        covered = any(path == dep.removesuffix(".py") or path.startswith(f"{dep}/") for dep in deps)
        package = (PROJECT / path).is_dir()  # an __init__ with a docstring, and maybe names
        assert covered or package, f"{stage} uses {module}, and dvc.yaml does not say so"
    assert f"pipelines/{stage}.py" in deps


def test_training_is_rerun_for_what_its_fingerprint_covers():
    deps = {dep for dep in STAGES["train"]["deps"] if dep.startswith("src/")}
    assert deps == {f"src/drnsr/{place}" for place in TRAINING_CODE}
    deps = {dep for dep in STAGES["evaluate"]["deps"] if dep.startswith("src/")}
    assert deps == {f"src/drnsr/{place}" for place in EVALUATION_CODE}
    params = STAGES["train"]["params"][0]["resolved.yaml"]
    # The data set's name is in the dataset, whose fingerprint is another part; so is that of the
    # training that `extend` names, and of what `init_from` names. The licences of its parts are
    # written into the model file.
    assert set(params) == {*TRAINING_KEYS, "data.name", "data.parts", "init_from", "extend"}

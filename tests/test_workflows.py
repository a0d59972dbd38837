"""The workflows of CI and of a release: what can be checked without running them."""

import re
import subprocess
import tomllib

import pytest
import yaml

from tests.conftest import PROJECT

FILES = sorted((PROJECT / ".github/workflows").glob("*.yaml"))
WORKFLOWS = {file.stem: yaml.safe_load(file.read_text()) for file in FILES}
METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]


def steps(workflow):
    return [step for job in WORKFLOWS[workflow]["jobs"].values() for step in job["steps"]]


def scripts(workflow):
    return [step["run"] for step in steps(workflow) if "run" in step]


def test_there_is_one_for_ci_and_one_for_a_release():
    assert list(WORKFLOWS) == ["ci", "release"]
    assert scripts("ci") == ["bash .ci/run"]
    # YAML takes `on` for a truth value.
    assert WORKFLOWS["ci"][True] == ["push", "pull_request"]
    assert list(WORKFLOWS["release"][True]["push"]) == ["tags"]


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_each_step_is_an_action_of_a_version_or_a_script_that_bash_can_read(workflow):
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert re.search(r"@(release/)?v\d+$", step["uses"]), step
        else:
            subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True)


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_job_may_only_do_what_it_needs(workflow):
    assert WORKFLOWS[workflow]["permissions"] == {"contents": "read"}
    for name, job in WORKFLOWS[workflow]["jobs"].items():
        more = {"attach": {"contents": "write"}, "upload": {"id-token": "write"}}.get(name)
        assert job.get("permissions") == more, name
        known = set(WORKFLOWS[workflow]["jobs"])
        assert {job["needs"]} <= known if "needs" in job else True


def test_what_the_release_calls_is_in_the_repository():
    called = set(re.findall(r"make (\w+)", "\n".join(scripts("release"))))
    targets = set(re.findall(r"(?m)^([\w-]+):", (PROJECT / "Makefile").read_text()))
    assert called
    assert called <= targets
    for name in ("CITATION.cff", "CHANGELOG.md", "constraints.txt", "docs/small.png"):
        assert (PROJECT / name).is_file()
        assert name in "\n".join(scripts("release"))


def test_the_pythons_of_ci_are_those_that_the_package_says_it_supports():
    (job,) = WORKFLOWS["ci"]["jobs"].values()
    pattern = r"Programming Language :: Python :: (3\.\d+)$"
    matches = [re.match(pattern, line) for line in METADATA["classifiers"]]
    supported = [match[1] for match in matches if match]
    assert job["strategy"]["matrix"]["python"] == supported
    assert METADATA["requires-python"] == f">={supported[0]}"

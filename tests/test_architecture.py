"""Imports between the packages run one way."""

import ast
import re
import subprocess
import sys

from tests.conftest import PROJECT


def test_imports_run_one_way():
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout


# What a light installation does not have.
_HEAVY = ("mlflow", "dvc", "lightning", "hydra", "albumentations", "matplotlib", "torchmetrics")


def test_applying_a_model_imports_nothing_of_the_pipeline():
    program = f"""
import sys
import drnsr.inference.upscaler
print([name for name in {_HEAVY!r} if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def sources(*folders):
    """Each Python file below some folders of the project, and its syntax tree."""
    for folder in folders:
        for file in sorted((PROJECT / folder).rglob("*.py")):
            yield file.relative_to(PROJECT), ast.parse(file.read_text(encoding="utf-8"))


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def private_names_of_the_package():
    """The names that begin with one underscore in the package and the stages."""
    names = set()
    for _, tree in sources("src", "pipelines"):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.attr)
    return set(filter(is_private, names))


def private_uses(tree, private):
    """The private names of the package that a test imports, reads from an object, or replaces."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS):
            yield from (alias.name for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Attribute) and node.attr in private:
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", "torch")):
                yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            dotted = re.fullmatch(r"[\w.]+", node.value) and node.value.startswith(OURS)
            yield from (part for part in node.value.split(".") if dotted and is_private(part))


OURS = ("drnsr.", "pipelines.")


def test_no_test_uses_a_private_name_of_the_package():
    private = private_names_of_the_package()
    used = {str(file): sorted(private_uses(tree, private)) for file, tree in sources("tests")}
    assert {file: names for file, names in used.items() if names} == {}


def imported_modules(tree):
    """The names of the modules that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_test_imports_another_test():
    imports = [
        f"{file}: {module}"
        for file, tree in sources("tests")
        for module in imported_modules(tree)
        if module.rpartition(".")[2].startswith("test_")
    ]
    assert imports == []


# Gone in Python 3.12 (PEP 594 and others: What's New in Python 3.12) and in 3.13 (PEP 594).
_REMOVED = {
    *("asynchat", "asyncore", "distutils", "imp", "smtpd"),
    *(
        "aifc",
        "audioop",
        "cgi",
        "cgitb",
        "chunk",
        "crypt",
        "imghdr",
        "lib2to3",
        "mailcap",
        "msilib",
    ),
    *("nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu"),
    "xdrlib",
}


def test_no_module_is_imported_that_a_supported_python_lacks():
    for file, tree in sources("src", "pipelines", "tests", "benchmarks"):
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            assert not {name.partition(".")[0] for name in names} & _REMOVED, file

"""Findings about Python and the packages, each really made."""

import sys

from drnsr.doctor.installation import (
    check_packages,
    check_pins,
    check_python,
    check_training_packages,
)


def install(folder, name, version, *lines):
    """Put the record of an installed package in front of all others."""
    record = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    record.mkdir()
    text = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *lines]
    (record / "METADATA").write_text("\n".join(text))


def found(check, level):
    return [f"{each.text} -> {each.advice}" for each in check() if each.level == level]


def test_a_malicious_upload_is_named(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    assert found(check_packages, "error") == []
    install(tmp_path, "lightning", "2.6.3")
    (message,) = found(check_packages, "error")
    assert message.startswith("lightning 2.6.3 is a malicious upload")
    assert "pip uninstall lightning, and replace every password" in message


def test_what_is_missing_is_named_with_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    needs = ("Requires-Dist: numpy>=2", "Requires-Dist: no-such-base; python_version > '3'")
    extra = ("Requires-Dist: no-such-stage>=1 ; extra == 'train'",)
    other = ("Requires-Dist: no-such-demo ; extra == 'demo'",)
    install(tmp_path, "drnsr", "9", *needs, *extra, *other)
    (message,) = found(check_packages, "error")
    assert message == "missing: no-such-base -> pip install --force-reinstall no-such-base"
    (message,) = found(check_training_packages, "error")
    assert message == "missing: no-such-stage -> pip install 'drnsr[train]'"


def test_a_version_that_is_too_old_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    needs = ("Requires-Dist: alpha<9,>=2.11", "Requires-Dist: gamma>=2.6,!=2.6.2; extra == 'train'")
    install(tmp_path, "drnsr", "9", *needs, "Requires-Dist: beta>=2025.3")
    install(tmp_path, "alpha", "2.9.1+cpu")
    install(tmp_path, "beta", "2025.3.30")
    install(tmp_path, "gamma", "2.6")
    (message,) = found(check_packages, "error")
    assert message == "alpha 2.9.1+cpu is too old: 2.11 is needed -> pip install -U alpha"
    assert found(check_training_packages, "error") == []


def test_a_package_that_cannot_be_imported_is_an_error(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "imagecodecs", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "imagecodecs.py").write_text("raise ImportError('libX.so: not found')")
    (message,) = found(check_packages, "error")
    assert message.startswith("cannot be imported: libX.so: not found -> pip install")


def test_other_versions_than_the_pinned_ones_are_a_note(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert list(check_pins()) == []  # no project's
    install(tmp_path, "alpha", "2.0")
    install(tmp_path, "beta", "2.13.0+cpu")
    pins = tmp_path / "constraints.txt"
    pins.write_text("# pins\nalpha==2.0\nbeta==2.13.0\nnot-installed==1\n")
    assert [each.level for each in check_pins()] == ["ok"]
    pins.write_text("alpha==1.9\nbeta==2.13.0\n")
    (message,) = found(check_pins, "note")
    assert "alpha 2.0 (pinned: 1.9)" in message
    assert message.endswith("pip install --constraint constraints.txt alpha")


def test_python_is_one_that_is_tested_or_named(monkeypatch):
    assert [each.level for each in check_python()] == ["ok", "ok"]
    for version, level in (((3, 10, 1), "error"), ((3, 14, 0), "note")):
        monkeypatch.setattr(sys, "version_info", version)
        assert next(iter(check_python())).level == level

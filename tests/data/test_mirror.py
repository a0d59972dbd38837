import hashlib

import pytest

from drnsr.cli import main
from drnsr.data import mirror
from drnsr.data.registry import fetch_registry
from drnsr.project import PARAMS


def make_mirror(names, folder):
    main(["mirror", *names, "--to", str(folder)])


@pytest.fixture
def registries(server, tmp_path, monkeypatch):
    """Two registries of files on the server, and one of files that no mirror has."""
    monkeypatch.delenv("DRNSR_MIRROR", raising=False)
    monkeypatch.setattr(mirror, "REGISTRIES", tmp_path)
    monkeypatch.chdir(tmp_path)
    PARAMS.touch()
    for name in ("some_x2", "some_x3"):
        server.files[f"/deep/{name}.png"] = name.encode()
        digest = hashlib.sha256(name.encode()).hexdigest()
        (tmp_path / f"{name}.txt").write_text(f"{name}.png {digest} {server.url}/deep/{name}.png")
    (tmp_path / "own.txt").write_text("a.png - manual:")
    return tmp_path


def test_a_mirror_holds_host_and_path_and_serves_a_site_without_the_web(server, registries):
    folder = registries / "mirror"
    make_mirror(["some"], folder)
    host = server.url.removeprefix("http://")
    assert (folder / host / "deep" / "some_x2.png").read_bytes() == b"some_x2"
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 2
    server.stop()
    make_mirror(["some_x2", "some_x3"], folder)  # all is there: the web is not asked
    downloads, raw = registries / "downloads", registries / "raw"
    fetch_registry(registries / "some_x3.txt", downloads, raw, mirror=str(folder))
    assert (raw / "some_x3.png").read_bytes() == b"some_x3"


def test_a_mirror_can_be_made_of_another(server, registries, monkeypatch):
    make_mirror(["some"], registries / "first")
    server.stop()
    monkeypatch.setenv("DRNSR_MIRROR", str(registries / "first"))
    make_mirror(["some_x2"], registries / "second")
    assert len([path for path in (registries / "second").rglob("*") if path.is_file()]) == 1


def test_what_no_mirror_can_hold_is_reported(registries, capsys):
    make_mirror(["own"], registries / "mirror")
    assert "own: 1 of 1 files left out" in capsys.readouterr().out


def test_an_unknown_registry_is_named_with_those_there_are(registries):
    with pytest.raises(SystemExit, match=r"sme: .* \(known: own, some_x2, some_x3\)"):
        make_mirror(["some", "sme"], registries / "mirror")
    assert not (registries / "mirror").exists()

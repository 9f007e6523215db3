import json
import sys

import pytest

from seqenvs import files


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    path, names = tmp_path / "table.tar.gz", []

    def fill(temporary):
        assert path.read_text() == "old" and temporary.parent == tmp_path
        names.append(temporary.name)
        temporary.write_text("new")
        if len(names) == 2:
            raise KeyboardInterrupt

    path.write_text("old")
    files.write_atomically(path, fill)
    assert path.read_text() == "new"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, fill)
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"lag": float("nan")})
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    assert len(set(names)) == 2 and all(name.endswith(".tar.gz") for name in names)
    with pytest.raises(FileNotFoundError) as raised:
        files.write_text(tmp_path / "missing" / "a", "")
    assert raised.value.filename == str(tmp_path / "missing" / "a")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_are_not_followed(tmp_path, monkeypatch):
    precious, path = tmp_path / "precious", tmp_path / "settings.json"
    precious.write_text("precious")
    path.symlink_to(precious)
    files.write_json(path, {"lag": 4})
    monkeypatch.setattr(files.secrets, "token_hex", lambda size: "guessed")
    (tmp_path / ".guessed.settings.json").symlink_to(precious)
    with pytest.raises(FileExistsError):
        files.write_text(path, "newer")
    assert json.loads(path.read_text()) == {"lag": 4} and precious.read_text() == "precious"


def test_hashes_never_change():
    values = {"id": "SeqEcho-v0", "kwargs": {"length": [3, 5]}, "seed": 0}
    for ordered in (values, dict(reversed(values.items()))):
        assert files.content_hash(ordered) == "506b55f9a313a5be"  # in names of existing files


def test_an_object_that_cannot_be_imported(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "module_that_lacks.py").write_text("import no_such")
    for path, error, message in (
        ("../json:loads", ValueError, "agent must be a class, got '../json:loads'$"),
        ("json.no_such:Agent", ValueError, "there is no module 'json.no_such'"),
        ("json:NoSuch", ValueError, "has no attribute 'NoSuch'"),
        ("module_that_lacks:Agent", ModuleNotFoundError, "No module named 'no_such'"),
    ):
        with pytest.raises(error, match=message):
            files.import_object(path, "agent must be a class")


def test_versions_and_machine():
    assert {"seqenvs", "gymnasium", "numpy", "python", "platform"} <= set(files.versions())
    assert " cores" in files.machine()

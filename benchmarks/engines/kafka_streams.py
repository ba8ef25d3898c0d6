"""How to run `KafkaTweets.java`: its parts come through Ivy, Eclipse's compiler compiles it, since our Java has none."""

from __future__ import annotations

import pathlib
import subprocess

import click

from riverhouse import addresses
from riverhouse.local import parts
from riverhouse.local.java_parts import fetch, place, read_list

SOURCE = pathlib.Path(__file__).with_name("KafkaTweets.java")
LIST = parts.LIST.with_name("bench-java.txt")
HEAP_MB = 1024


def command(classes: pathlib.Path, guarantee: str, state: pathlib.Path) -> list[str]:
    """The program with a processing guarantee of Kafka Streams, compiled into `classes`, with its state in `state`."""
    every = read_list(LIST)
    fetch("bench", every)
    bench = place("bench", every)
    jars = [*parts.folder("kafka").glob("*.jar"), *bench.glob("kafka-streams-*.jar"), *bench.glob("rocksdbjni-*.jar")]
    path = ":".join(map(str, jars))
    if not any(classes.glob("*.class")):
        compiler = next(bench.glob("ecj-*.jar"))
        compiling = [parts.java(), "-jar", str(compiler), "-source", "21", "-target", "21", "-nowarn", "-cp", path]
        done = subprocess.run(
            [*compiling, "-d", str(classes), str(SOURCE)], check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise click.ClickException(f"{SOURCE.name} could not be compiled:\n{done.stdout}{done.stderr}")
    options = [f"-Xmx{HEAP_MB}m", "--enable-native-access=ALL-UNNAMED", "-cp", f"{classes}:{path}"]
    return [parts.java(), *options, "KafkaTweets", addresses.bootstrap(), guarantee, str(state)]

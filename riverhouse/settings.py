"""Every setting, with its meaning and bounds: from `riverhouse.toml` beside the checkout, then `RIVERHOUSE_*` variables.

A nested field is set with two underscores: `RIVERHOUSE_PRODUCER__RATE=200`.
"""

from __future__ import annotations

import functools
import pathlib
from typing import Annotated

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Ports(BaseModel):
    """Preferred ports, on 127.0.0.1. `riverhouse up` takes a free one where the preferred one is taken, and keeps it."""

    kafka: int = 19092
    kafka_controller: int = 19093
    postgres: int = 15432
    registry: int = 18081
    registry_management: int = 18082
    trino: int = 18080
    superset: int = 18088
    worker: int = Field(default=16066, description="the first Faust worker's web port; the next ones follow")


class Kafka(BaseModel):
    bootstrap: str = Field(default="", description="broker addresses; empty: the local broker")
    ca_file: str = Field(
        "", description="PEM file of the authority that signed the brokers' certificates; set, all clients speak TLS"
    )
    certificate_file: str = Field(
        "",
        description="PEM file of our private key and certificate, where brokers ask for one; the local broker shows it",
    )
    partitions: int = Field(default=3, ge=1, le=1024, description="partitions of a topic that does not say")
    retention_days: float = Field(default=7, gt=0, description="how long a topic that does not say keeps its records")
    replication: int = Field(default=1, ge=1)
    heap_mb: int = Field(default=512, ge=256)


class Registry(BaseModel):
    url: str = Field(default="", description="Confluent-compatible schema registry; empty: the local one")
    heap_mb: int = Field(default=256, ge=128)


class Producer(BaseModel):
    """What the producers send. Plain names are of the tweets; AnimeVerse's have its name before them."""

    rate: float = Field(default=1000, gt=0, description="events a second; 0 is not a rate: use --flat-out")
    seed: int = 7
    history_hours: float = Field(
        24, ge=0, description="at the first start, this much history is sent before live events"
    )
    history_events: int = Field(default=40_000, ge=0, description="how many events that history has")
    animeverse_rate: float = Field(default=10, gt=0, description="events a second, of shop and cinema together")
    animeverse_history_hours: float = Field(72, ge=0, description="as `history_hours`")
    animeverse_history_events: int = Field(default=40_000, ge=0, description="as `history_events`")
    told_within_s: float = Field(
        default=90, ge=0, description="how long history waits for the workers to take in the reference data before it"
    )


class Workers(BaseModel):
    count: int = Field(default=1, ge=1, le=64, description="Faust worker processes for each business")
    batch_records: int = Field(default=5000, ge=1, description="most records of one partition in a batch")
    linger_ms: int = Field(
        default=60, ge=0, description="how long the broker gathers records before it answers a fetch"
    )
    commit_interval_s: float = Field(default=1.0, gt=0)
    snapshot_interval_s: float = Field(
        default=60.0, ge=0, description="how often the state is written to disk, at most; 0: never"
    )
    session_timeout_s: float = Field(default=10.0, ge=6, description="a silent worker's partitions move after this")


class Lake(BaseModel):
    warehouse: str = Field(
        "", description="where tables live, a file:// or s3:// address; empty: under the home folder"
    )
    trigger_s: float = Field(
        default=1.5, gt=0, description="the sink's interval between commits of silver and live KPIs"
    )
    archive_trigger_s: float = Field(
        default=8.0, gt=0, description="the same of bronze, duplicates and quarantine, which nobody waits for"
    )
    batch_records: int = Field(default=30_000, ge=1000, description="most records in one micro-batch")
    gold_interval_s: float = Field(
        default=15.0, gt=0, description="how often gold is refreshed from silver; slow tables in proportion"
    )
    maintenance_interval_s: float = Field(
        180.0, gt=0, description="how often small files are compacted, snapshots expired"
    )
    reconcile_interval_s: float = Field(900.0, gt=0, description="how often the last hours are reconciled")
    reconcile_hours: float = Field(
        1.0, gt=0, description="windows that such a run compares; `riverhouse reconcile` takes all"
    )
    snapshots_kept_s: float = Field(default=300.0, gt=0, description="snapshots older than this are expired")
    sink_heap_mb: int = Field(default=768, ge=512, description="of the sink's Java")
    spark_heap_mb: int = Field(default=1024, ge=512, description="of the Java of gold and maintenance, and of replays")


class Trino(BaseModel):
    heap_mb: int = Field(default=1536, ge=1024)


class Settings(BaseSettings):
    """The tree of settings. `load()` reads it once a process."""

    model_config = SettingsConfigDict(
        env_prefix="RIVERHOUSE_", env_nested_delimiter="__", toml_file=ROOT / "riverhouse.toml", extra="forbid"
    )
    home: pathlib.Path = Field(
        default=ROOT / ".riverhouse", description="data, logs, environments and generated configuration"
    )
    cache: pathlib.Path = Field(
        default=pathlib.Path("~/.cache/riverhouse"), description="Java parts, shared by a user's checkouts"
    )
    businesses: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("tweets", "animeverse"),
        description="whose workers and producers run; in a variable, commas between them",
    )
    side: str = Field(
        default="",
        description="which side this process works on: topics and tables beside the live ones; set by replay",
    )
    side_verbatim: bool = Field(
        default=False, description="the side's raw topics are whole copies: its workers derive and tell nothing"
    )
    animeverse_lateness_hours: float = Field(
        default=48, ge=1, le=72, description="how late AnimeVerse's events may be and still change live figures"
    )
    ports: Ports = Ports()
    kafka: Kafka = Kafka()
    registry: Registry = Registry()
    producer: Producer = Producer()
    workers: Workers = Workers()
    lake: Lake = Lake()
    trino: Trino = Trino()

    @field_validator("businesses", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


@functools.cache
def load() -> Settings:
    """The settings of this process."""
    return Settings()

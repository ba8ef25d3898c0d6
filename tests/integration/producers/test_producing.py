"""What arrives on a real broker: history once, every live event once, each row of a replay."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import msgspec
import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from topics.partition import murmur2_partition
from topics.tweets import Tweet

RAW = "tweets.raw"


@pytest.fixture
def bootstrap(environment) -> str:
    ports = json.loads((pathlib.Path(environment["RIVERHOUSE_HOME"]) / "ports.json").read_text())
    return f"127.0.0.1:{ports['kafka']}"


def read(bootstrap: str, topic: str = RAW) -> list[Message]:
    """All records of a topic, in the order of arrival."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test", "enable.auto.commit": False})
    try:
        partitions = [
            TopicPartition(topic, p, 0) for p in consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ]
        want = sum(consumer.get_watermark_offsets(p, timeout=10)[1] for p in partitions)
        consumer.assign(partitions)
        got: list[Message] = []
        while len(got) < want:
            got += consumer.consume(10_000, 1.0)
        assert all(m.error() is None for m in got)
        return sorted(got, key=lambda m: m.timestamp())
    finally:
        consumer.close()


def headers(message: Message) -> dict[str, str]:
    return {name: value.decode() for name, value in message.headers() or []}


def test_history_is_sent_at_the_first_start_only(run, bootstrap) -> None:
    first = run("producers", "live", "tweets", "--rate", "2000", "--count", "500", "--no-faults")
    assert first.returncode == 0, first.stdout + first.stderr
    messages = read(bootstrap)
    assert len(messages) == 2500
    tweets = [msgspec.json.decode(m.value(), type=Tweet) for m in messages]
    assert len({t.tweet_id for t in tweets}) == 2500
    assert all(m.key() == t.user.user_id.encode() for m, t in zip(messages, tweets, strict=True))
    count = len({m.partition() for m in messages})
    assert all(m.partition() == murmur2_partition(m.key(), count) for m in messages)
    assert all(headers(m)["schema_id"].isdigit() for m in messages)
    ages = max(t.created_at for t in tweets) - min(t.created_at for t in tweets)
    assert 20 * 3600 < ages.total_seconds() < 25 * 3600
    assert run("producers", "live", "tweets", "--flat-out", "--count", "300", "--no-faults").returncode == 0
    again = read(bootstrap)
    assert len(again) == 2800
    assert len({msgspec.json.decode(m.value(), type=Tweet).tweet_id for m in again}) == 2800


def test_a_stopped_producer_has_delivered_what_it_says(environment, bootstrap) -> None:
    before = len(read(bootstrap))
    command = [sys.executable, "-m", "producers", "live", "tweets", "--rate", "500", "--no-history"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if '"message": "live"' in line:
                break
        while len(read(bootstrap)) < before + 200:
            assert process.poll() is None
        os.kill(process.pid, signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait(30) == 0
    summary = json.loads(rest.strip().splitlines()[-1])
    assert summary["queue"] == 0
    assert len(read(bootstrap)) - before == summary["sent"]


def test_each_row_of_a_replay_arrives_with_its_line(run, bootstrap, tmp_path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text(
        "post_no;author;author_name;fans;blue;posted;message;tags;lang;favs;shares\n"
        '1;anna;Anna A;12;Y;21.11.2026 09:15;"zwei\nZeilen";#a #b;de;1;2\n'
        "2;anna;Anna A;12;Y;gestern;Text;#a;de;1;2\n"
        "3;bert\n"
    )
    done = run("riverhouse", "replay", "tweets", str(path), "--mapping", "producers/mappings/forum_posts.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sent: 3 rows" in done.stdout
    assert "riverhouse ledger tweets" in done.stdout
    replayed = {headers(m)["source_line"]: m for m in read(bootstrap) if headers(m).get("source_file") == "posts.csv"}
    assert sorted(replayed) == ["2", "4", "5"]
    assert msgspec.json.decode(replayed["2"].value(), type=Tweet).text == "zwei\nZeilen"
    reasons = {line: headers(m).get("unmappable") for line, m in replayed.items()}
    assert reasons["2"] is None
    assert "gestern" in (reasons["4"] or "")
    assert reasons["5"] == "2 cells, the header has 11"
    assert replayed["5"].value() == b"3;bert"


def test_a_wrong_mapping_sends_nothing(run, bootstrap, tmp_path) -> None:
    before = len(read(bootstrap))
    (tmp_path / "m.toml").write_text('[fields]\ntext = "nowhere"\n')
    (tmp_path / "t.csv").write_text("text,other\nhello,1\n")
    done = run("riverhouse", "replay", "tweets", str(tmp_path / "t.csv"), "--mapping", str(tmp_path / "m.toml"))
    assert done.returncode == 1
    assert "error: the file has no column 'nowhere'" in done.stderr
    assert len(read(bootstrap)) == before

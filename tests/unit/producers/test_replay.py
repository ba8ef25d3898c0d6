"""Replay: foreign rows to events; rows that do not fit keep their line, their bytes and a reason."""

import datetime as dt
import pathlib
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.mapper import Mapper, MisfitError
from producers.mapping import Field, Mapping, check, load
from producers.readers import open_table
from producers.replay import Pace, Record, main, prepare
from riverhouse.local.problem import Problem
from topics.tweets import TWEETS, Tweet

FORUM = pathlib.Path("producers/mappings/forum_posts.toml")
HEADER = "post_no;author;author_name;fans;blue;posted;message;tags;lang;favs;shares\n"
ID = "11111111-1111-4111-8111-111111111111"
BASE = {
    "tweet_id": ID,
    "text": "hi",
    "user.user_id": "u1",
    "user.username": "ann",
    "created_at": "2026-01-01T00:00:00Z",
}


def records(path: pathlib.Path, mapping: pathlib.Path | None = None, kind: str | None = None) -> list[Record]:
    table, translator = prepare(TWEETS, path, kind, mapping)
    return [translator.record(row) for row in table.rows]


def header(record: Record, name: str) -> str | None:
    value = dict(record.headers).get(name)
    return value.decode() if isinstance(value, bytes) else None


def event(fields: dict[str, str | Field], cells: dict[str, Any]) -> Any:
    constants: dict[str, str | Field] = {name: Field(constant=value) for name, value in BASE.items()}
    return Mapper(Mapping({**constants, **fields}), Tweet).event(cells)


def test_a_foreign_csv_keeps_its_line_numbers_across_quotes_and_newlines(tmp_path) -> None:
    path = tmp_path / "posts.csv"
    path.write_bytes(
        (
            HEADER
            + '1;HansW;Hans W;120;Y;21.11.2026 09:15;"Hallo ""Welt""; mit\nUmbruch";#Berlin #Kaffee;DE;12;3\n'
            + "2;erika;Erika M;;N;21.07.2026 09:16;Sommer;;NULL;;\n"
            + "3;erika;Erika M;5;N;2026-11-21;Datum;#x;de;1;1\n"
            + "4;erika;zu wenig\n"
            + '5;erika;"offen;5;N;21.11.2026 09:18;Text;#x;de;1;1\n'
            + "6;max;Max M;viele;N;21.11.2026 09:19;Gut;#gut;de;1;1\n"
        ).encode()
        + b"7;max;Max M;1;N;21.11.2026 09:21;kaputt \xff;#x;de;1;1\n"
        + b"8;max;Max M;1;N;21.11.2026 09:21;Gut;#x;de;1;1\n"
    )
    got = records(path, FORUM)
    assert [(header(r, "source_line"), r.fits) for r in got] == [
        ("2", True), ("4", True), ("5", False), ("6", False), ("7", False), ("8", False), ("9", False), ("10", True),
    ]  # fmt: skip
    assert {header(r, "source_file") for r in got} == {"posts.csv"}
    first = msgspec.json.decode(got[0].value, type=Tweet)
    assert (first.text, first.hashtags, first.likes) == ('Hallo "Welt"; mit\nUmbruch', ["berlin", "kaffee"], 12)
    assert first.user.verified
    assert first.created_at == dt.datetime(2026, 11, 21, 8, 15, tzinfo=dt.UTC)  # Berlin in winter
    second = msgspec.json.decode(got[1].value, type=Tweet)
    assert second.created_at == dt.datetime(2026, 7, 21, 7, 16, tzinfo=dt.UTC)  # and in summer
    assert (second.language, second.user.followers_count, second.hashtags) == ("de", 0, [])
    reasons = [header(r, "unmappable") or "" for r in got]
    assert "created_at: '2026-11-21'" in reasons[2]
    assert reasons[3] == "3 cells, the header has 11"
    assert got[3].value == b"4;erika;zu wenig"
    assert "not CSV" in reasons[4]
    assert reasons[5] == "user.followers_count: 'viele' is no number"
    assert msgspec.json.decode(got[5].value)["fans"] == "viele"
    assert "encoding" in reasons[6]
    assert b"\xff" in got[6].value


def test_the_same_row_has_the_same_id_in_every_replay(tmp_path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text(HEADER + "8;max;Max M;1;N;21.11.2026 09:21;Gut;#x;de;1;1\n" * 2)
    one, two = records(path, FORUM)
    assert one.value == two.value
    assert one.key == b"forum-max"


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), min_size=1, max_size=30), max_size=15)
)
def test_any_quoted_text_comes_through_with_its_line(tmp_path_factory, texts) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    line, lines, body = 2, [], "text\n"
    for text in texts:
        lines.append(line)
        body += '"' + text.replace('"', '""') + '"\n'
        line += 1 + text.count("\n")
    path.write_text(body, "utf-8", newline="")
    rows = list(open_table(path, None).rows)
    assert [row.cells["text"] for row in rows] == texts
    assert [row.line for row in rows] == lines


def test_json_lines_without_a_mapping_are_sent_as_they_are(tmp_path) -> None:
    good = msgspec.json.encode(
        {**{k: v for k, v in BASE.items() if "." not in k}, "user": {"user_id": "u1", "username": "a"}, "new": 1}
    )
    path = tmp_path / "t.jsonl"
    path.write_bytes(good + b"\n\n" + b'{"broken":\n[1]\n' + b'{"text":"no more"}\n')
    got = records(path)
    assert [(header(r, "source_line"), r.fits) for r in got] == [("1", True), ("3", False), ("4", False), ("5", False)]
    assert got[0].value == good
    assert got[0].key == b"u1"
    assert got[1].value == b'{"broken":'
    assert "required field" in (header(got[3], "unmappable") or "")


def test_parquet_with_nested_columns_needs_no_mapping(tmp_path) -> None:
    row = {
        "tweet_id": ID,
        "text": "hi",
        "user": {"user_id": "u1", "username": "ann"},
        "created_at": dt.datetime(2026, 1, 1),
        "likes": 3,
    }
    pq.write_table(pa.Table.from_pylist([row, {**row, "text": None}]), tmp_path / "t.parquet")
    got = records(tmp_path / "t.parquet")
    assert [(header(r, "source_line"), r.fits) for r in got] == [("1", True), ("2", False)]
    tweet = msgspec.json.decode(got[0].value, type=Tweet)
    assert tweet.created_at == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert tweet.likes == 3


@pytest.mark.parametrize(
    ("fields", "cells", "name", "value"),
    [
        ({"text": "t"}, {"t": "hello"}, "text", "hello"),
        ({"text": "a.b"}, {"a": {"b": "deep"}}, "text", "deep"),
        ({"hashtags": Field(column="t", split=";", strip="# ")}, {"t": "#a; #b;;"}, "hashtags", ["a", "b"]),
        ({"region": Field(column="r", case="upper")}, {"r": "deu"}, "region", "DEU"),
        ({"region": Field(column="r", values={"Germany": "DEU"})}, {"r": "Germany"}, "region", "DEU"),
        ({"likes": Field(column="n", default=4)}, {"n": " "}, "likes", 4),
        ({"likes": Field(column="n", type="int")}, {"n": "12.0"}, "likes", 12),
        ({"likes": "n"}, {"n": "12"}, "likes", 12),
        ({"text": Field(template="{a}-{b}")}, {"a": 1, "b": "x"}, "text", "1-x"),
        ({"language": Field(column="gone", optional=True)}, {}, "language", None),
    ],
)
def test_fields_are_made_as_the_mapping_says(fields, cells, name, value) -> None:
    assert getattr(event(fields, cells), name) == value


@pytest.mark.parametrize(
    ("cell", "more"),
    [
        ("2026-03-01T11:00:00+02:00", {}),
        ("2026-03-01 10:00:00", {"timezone": "Europe/Berlin"}),
        ("1772355600", {}),
        (1772355600000, {}),
        ("01/03/26 09h00", {"format": ["%Y", "%d/%m/%y %Hh%M"]}),
    ],
)
def test_times_are_read_in_their_format_and_zone(cell, more) -> None:
    at = event({"created_at": Field(column="t", **more)}, {"t": cell}).created_at
    assert at == dt.datetime(2026, 3, 1, 9, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("field", "cell", "reason"),
    [
        (Field(column="n", type="int"), "1.5", "no whole number"),
        (Field(column="n", type="bool"), "maybe", "neither true nor false"),
        (Field(column="n", values={"a": 1}), "b", "none of a"),
        (Field(column="n"), "-3", "likes"),
    ],
)
def test_cells_that_do_not_fit_say_why(field, cell, reason) -> None:
    with pytest.raises(MisfitError, match=reason):
        event({"likes": field}, {"n": cell})


@pytest.mark.parametrize(
    ("toml", "what"),
    [
        ("[fields\n", "cannot be used"),
        ('[fields]\ntext = { colum = "text" }\n', "cannot be used"),
        ('[fields]\ntexxt = "text"\n', "texxt"),
        ('[fields]\ntext = "mesage"\n', "'mesage'"),
        ('[fields]\ntext = { column = "text", template = "{text}" }\n', "unclear"),
        ('[fields]\ncreated_at = { column = "text", timezone = "Mars/X" }\n', "Mars/X"),
        ('[fields]\ntext = "text"\n', "required field tweet_id"),
    ],
)
def test_a_wrong_mapping_is_told_before_anything_is_sent(tmp_path, toml, what) -> None:
    (tmp_path / "m.toml").write_text(toml)
    with pytest.raises(Problem, match=what) as told:
        check(load(tmp_path / "m.toml"), Tweet, ["text", "message"])
    assert told.value.hint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("gone.csv", None),
        ("empty.csv", b""),
        ("t.parquet", b"PAR1 no"),
        ("t.jsonl", b"not json\n"),
        ("t.xyz", b"a"),
        ("t.csv", b"a,a\n1,2\n"),
    ],
)
def test_a_file_that_cannot_be_read_ends_with_an_error(tmp_path, capsys, name, content) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["tweets", str(tmp_path / name)]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_pace_follows_the_rate_or_the_event_times() -> None:
    steady = Pace(rate=100, speed_up=None)
    first = steady.due(None)
    assert [round(steady.due(None) - first, 6) for _ in range(3)] == [0.01, 0.02, 0.03]
    faster = Pace(rate=None, speed_up=60)
    start = faster.due(1000.0)
    assert faster.due(1060.0) - start == pytest.approx(1.0)
    assert faster.due(None) == start  # a row without a time is not waited for
    assert Pace(None, None).due(5.0) <= Pace(None, None).due(5000.0)

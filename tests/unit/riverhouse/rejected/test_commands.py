"""What the command refuses before it asks any server, and what it prints of a letter."""

from __future__ import annotations

import json

import msgspec
import pytest

from riverhouse.rejected import commands, showing
from riverhouse.rejected.campaign import Tally, difference
from riverhouse.rejected.dispatch import changed
from riverhouse.rejected.letters import plain
from riverhouse.rejected.mending import Mended
from tests.unit.riverhouse.rejected.samples import letter, retry
from topics.retries import Position


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["fix", "tweets/0/4"], "not clear how to mend"),
        (["fix", "tweets/0/4", "--edit", "--set", "likes=1"], "not clear how to mend"),
        (["fix", "tweets", "--edit"], "one record"),
        (["fix", "tweets/0/4", "--with", "gone.py:fix"], "cannot be loaded"),
        (["retry", "tweet"], "no stream or business"),
        (["retry"], "SELECTION"),
        (["show", "tweets"], "which one"),
        (["list", "tweets/0/4"], "list wants streams"),
        (["list", "--since", "yesterday"], "2026-03-01"),
    ],
)
def test_what_is_unclear_is_told(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(arguments) != 0
    assert told in capsys.readouterr().err


def test_everything_about_a_letter_is_shown() -> None:
    tried = letter(value=b"\xff{", retries=(retry("rejected", reason="empty_text"), retry("clean", offset=51)))
    shown = showing.letter(tried)
    for part in (
        "tweets/0/42  mended",
        "schema_violation",
        "trace: t",
        r"\xff{",
        "tweets/0/50",
        "empty_text",
        "tweets/0/51",
    ):
        assert part in shown
    found = json.loads(msgspec.json.encode(plain(tried)))
    assert (found["state"], found["key"], found["value_base64"]) == ("mended", "u1", "/3s=")
    assert [r["fate"] for r in found["retries"]] == ["rejected", "clean"]


def test_a_dry_run_shows_what_changes_and_counts_what_does_not() -> None:
    new = Mended(b"u2", letter().value.replace(b"-1", b"1") if letter().value else b"")
    shown = difference(changed(letter(), b"u1", [], new, "x", []))
    assert "key: u1 → u2" in shown
    assert '-  "likes": -1' in shown
    assert '+  "likes": 1' in shown
    place = Position("tweets", 0, 42)
    tally = Tally([place] * 12, [(place, "why")] * 30, [(place, "no")], [place], [shown])
    told = showing.tally(tally, None)
    assert "would send 12, 30 held back, 1 do not fit, 1 left by the fix" in told
    assert "… and 11 more" in told
    assert told.count("held back: tweets/0/42: why") == showing.NAMED_MAX
    assert showing.tally(tally, 12).splitlines()[-1].startswith("sent 12,")

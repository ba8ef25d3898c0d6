"""AnimeVerse on a real broker: reference data first and from files, history, live events; a second start goes on."""

import json
import pathlib

import msgspec

from producers.animeverse.world import World
from tests.integration.producers.test_producing import headers, read
from topics.contract import Reference

FACTS = [s.raw.name for s in World.streams if not isinstance(s, Reference)]


def test_reference_data_goes_first_and_a_second_start_goes_on(run, environment) -> None:
    home = pathlib.Path(environment["RIVERHOUSE_HOME"])
    bootstrap = f"127.0.0.1:{json.loads((home / 'ports.json').read_text())['kafka']}"
    live = ("producers", "live", "animeverse", "--no-faults", "--count")
    first = run(*live, "200", "--rate", "400")
    assert first.returncode == 0, first.stdout + first.stderr
    sent = {s.raw.name: read(bootstrap, s.raw.name) for s in World.streams}
    for stream in World.streams:
        for message in sent[stream.raw.name]:
            event = msgspec.json.decode(message.value(), type=stream.event)
            assert message.key().decode() == getattr(event, stream.key)
            assert headers(message)["schema_id"].isdigit()
    began = min(m.timestamp()[1] for name in FACTS for m in sent[name])
    products = sent["animeverse.products.raw"]
    assert len([m for m in products if m.timestamp()[1] <= began]) >= 600
    files = {headers(m)["source_file"] for m in products}
    assert files <= {p.name for p in (home / "data" / "animeverse" / "reference").iterdir()}
    counts = _opening(sent["animeverse.inventory.raw"])
    assert len(counts) > 1500
    assert sum(len(sent[name]) for name in FACTS) == 1700 + len(counts)

    again = run(*live, "100", "--flat-out")
    assert again.returncode == 0, again.stdout + again.stderr
    more = {name: read(bootstrap, name) for name in (*FACTS, "animeverse.products.raw", "animeverse.customers.raw")}
    assert len(_opening(more["animeverse.inventory.raw"])) == 2 * len(counts)
    assert sum(len(more[name]) for name in FACTS) == 1800 + 2 * len(counts)
    for name in ("animeverse.products.raw", "animeverse.customers.raw"):
        new = [headers(m)["source_file"] for m in more[name][len(sent[name]) :]]
        assert all(file.startswith("changes-") for file in new)
        assert len(new) < 100


def _opening(messages: list) -> list:
    return [m for m in messages if json.loads(m.value()).get("reason") == "opening"]

"""The tweets' world: reproducible, valid, and like people."""

import collections
import datetime as dt

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.people import people
from producers.phrases import phrases
from producers.places import COUNTRIES, history, intensity
from producers.trends import THEMES, weights
from producers.tweets import World
from topics.tweets import Tweet

WORLD = World(7, users=2000)
DAY = 86_400.0
START = 1_767_225_600.0  # 2026-01-01, a UTC midnight

decode = msgspec.json.Decoder(Tweet).decode
times = st.lists(st.floats(0, 4e9), min_size=1, max_size=40).map(sorted).map(np.array)


@pytest.fixture(scope="module")
def tweets() -> list[Tweet]:
    at = history(START, START + DAY, 20_000, 7)
    return [decode(value) for _, _, value in WORLD.events(0, at)]


@settings(max_examples=30, deadline=None)
@given(block=st.integers(0, 2**40), at=times)
def test_same_seed_same_times_same_bytes(block, at) -> None:
    assert WORLD.events(block, at) == WORLD.events(block, at)


def test_a_world_made_again_is_the_same() -> None:
    at = np.array([START, START + 1])
    assert World(7, users=2000).events(3, at) == WORLD.events(3, at)
    assert World(8, users=2000).events(3, at) != WORLD.events(3, at)


@settings(max_examples=60, deadline=None)
@given(block=st.integers(0, 1000), at=times)
def test_every_event_keeps_the_contract_and_its_key_and_time(block, at) -> None:
    for (topic, key, value), when in zip(WORLD.events(block, at), at, strict=True):
        tweet = decode(value)
        assert topic == "tweets.raw"
        assert key == tweet.user.user_id.encode()
        assert isinstance(tweet.created_at, dt.datetime)
        assert abs(tweet.created_at.timestamp() - when) < 0.002


@settings(max_examples=30, deadline=None)
@given(st.floats(1e9, 2e9), st.floats(1e-3, 1e6))
def test_another_start_repeats_no_id(start, later) -> None:
    offsets = np.arange(20) / 10
    first, second = (WORLD.events(0, start + shift + offsets) for shift in (0.0, later))
    ids = [decode(value).tweet_id for _, _, value in first + second]
    assert len(set(ids)) == 40


def test_no_times_no_events() -> None:
    assert WORLD.events(0, np.array([])) == []


def test_ids_are_unique_and_texts_vary(tweets) -> None:
    assert len({t.tweet_id for t in tweets}) == len(tweets)
    assert len({t.text for t in tweets}) > 0.6 * len(tweets)


def test_some_events_lack_what_processors_must_fill(tweets) -> None:
    n = len(tweets)
    assert 0.015 < sum(t.sentiment_score is None for t in tweets) / n < 0.025
    assert 0.005 < sum(t.language is None for t in tweets) / n < 0.015
    assert 0.005 < sum(t.region is None for t in tweets) / n < 0.015


def test_mentions_are_real_users_and_stand_in_the_text(tweets) -> None:
    known = set(WORLD.people.username)
    mentioning = [t for t in tweets if t.mentions]
    assert len(mentioning) > 0.1 * len(tweets)
    assert all(set(t.mentions) <= known and all(f"@{m}" in t.text for m in t.mentions) for t in mentioning)


def test_hashtags_stand_in_the_text(tweets) -> None:
    assert all(f"#{tag}" in t.text for t in tweets for tag in t.hashtags)


def test_languages_go_with_regions(tweets) -> None:
    spoken = {c.code: {name for name, _ in c.languages} | {"en"} for c in COUNTRIES}
    assert all(t.language in spoken[t.region] for t in tweets if t.language and t.region)
    assert len({t.region for t in tweets}) > 30


def test_a_few_write_much_and_have_many_followers(tweets) -> None:
    written = collections.Counter(t.user.user_id for t in tweets)
    top = sum(n for _, n in written.most_common(len(WORLD.people.key) // 10))
    assert top > 0.25 * len(tweets)
    fans = np.sort(WORLD.people.followers)
    assert fans[-20:].sum() > fans[:1000].sum()


def test_people_with_more_followers_get_more_likes(tweets) -> None:
    fans = np.log([t.user.followers_count for t in tweets])
    likes = np.log1p([t.likes for t in tweets])
    assert np.corrcoef(fans, likes)[0, 1] > 0.5


def test_more_of_the_world_tweets_when_it_is_awake() -> None:
    rows = intensity()
    japan = [c.code for c in COUNTRIES].index("JPN")
    assert rows[6 * 12, japan] > 5 * rows[6 * 19, japan]  # 21:00 in Japan, and 04:00
    counts = np.histogram(history(START, START + DAY, 50_000, 1), bins=24)[0]
    assert counts.max() > 1.3 * counts.min()


def test_history_is_sorted_in_its_bounds_and_seeded() -> None:
    at = history(START, START + DAY, 1000, 5)
    assert np.all(np.diff(at) >= 0)
    assert START <= at[0] <= at[-1] <= START + DAY
    assert np.array_equal(at, history(START, START + DAY, 1000, 5))


def test_trends_rise_and_fall() -> None:
    names, weight = weights(7, START + np.arange(0, 12 * 3600, 60.0))
    strongest = weight[:, int(np.argmax(weight.max(axis=0)))]
    peak = int(np.argmax(strongest))
    assert len(names) > 20
    assert np.all(np.diff(strongest[: peak + 1]) >= 0)
    assert np.all(np.diff(strongest[peak:]) <= 0)
    assert strongest[0] == 0 or strongest[-1] < 0.1 * strongest[peak]


def test_every_language_of_a_country_can_be_spoken_about_every_theme() -> None:
    said = phrases()
    assert {name for c in COUNTRIES for name, _ in c.languages} <= set(said.languages)
    for group in range(len(said.languages) * 3):
        first, last = said.sentences.first[group : group + 2]
        assert set(said.theme[first:last].tolist()) == set(range(len(THEMES)))


def test_users_are_as_many_as_asked_with_names_of_their_own() -> None:
    crowd = people(3, 500)
    assert len(crowd.key) == len(set(crowd.key)) == len(set(crowd.username)) == 500
    assert all(name.isascii() for name in crowd.username)
    assert set(crowd.country.tolist()) == set(range(len(COUNTRIES)))

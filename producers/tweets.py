"""The tweets' world: who tweets when, from where, about what. Pure: the same seed and times give the same bytes.

    at [n] ─▶ author (awake regions, Zipf) ─▶ language, mood, sentence ─▶ hashtags, trends, mentions ─▶ likes … ─▶ JSON

Faker and all templates are spent when the world is made; an event then costs a few numpy draws and one bytes format.
"""

from __future__ import annotations

import hashlib
from itertools import repeat

import msgspec
import numpy as np
import numpy.typing as npt

from producers import trends, worlds
from producers.faults import Event
from producers.people import Ints, People, people
from producers.phrases import Phrases, Texts, phrases
from producers.places import COUNTRIES, Floats, bucket, history, intensity
from topics.contract import Stream
from topics.tweets import TWEETS

USERS = 20_000
ENGLISH_SHARE = 0.08  # of the tweets of people whose language is another
TAGLESS = 0.55  # how steeply the themes differ in how often they are tagged, by their place in THEMES
NO_SENTIMENT, NO_LANGUAGE, NO_REGION = 0.02, 0.01, 0.01  # fractions of events without the field
EVERYDAY = 220.0  # weight of talk about no trend; about one tweet in six takes part in one
MOOD_MEAN = np.array([-0.52, 0.02, 0.58])

_VALUE = (
    b'{"tweet_id":"%b","text":"%b%b%b%b%b%b","user":%b,"created_at":"%bZ","hashtags":[%b],"mentions":[%b]'
    b'%b%b,"engagement_score":%.4f,"likes":%d,"retweets":%d,"replies":%d}'
)


class World(worlds.World):
    """20,000 people by default, and what they say. Making one takes about a second, and reads no clock."""

    streams: tuple[Stream, ...] = (TWEETS,)

    def __init__(self, seed: int, users: int = USERS) -> None:
        self.seed = seed
        self.people: People = people(seed, users)
        self.phrases: Phrases = phrases()
        edges = np.cumsum(intensity(), axis=1)
        self._awake = edges / edges[:, -1:]  # [ten minutes of the day, country], cumulative
        self._popular = np.cumsum(self.people.popularity)
        self._key = np.array(self.people.key, dtype=object)
        self._fragment = np.array(self.people.fragment, dtype=object)
        codes = {code: n for n, code in enumerate(self.phrases.languages)}
        self._language = np.array([codes[name] for name in self.people.language], dtype=np.int64)
        self._at_text, self._at_json = _pieces(self.people.username, "@", before="", after=" ")
        both = [*trends.TAGS, *(tag.lower() for tag in trends.TAGS)]
        self._tag_text, self._tag_json = _pieces(both, "#", before=" ", after="")
        self._origin = self._origins()
        scores = [b',"sentiment_score":%.4f' % (n / 10_000 - 1) for n in range(20_001)]
        self._sentiment: Texts = np.array([*scores, b""], dtype=object)

    def events(self, block: int, at: Floats) -> list[Event]:
        """One tweet for each time in `at` (seconds since the epoch), as (topic, key, value), in that order.

        Randomness comes from the seed, the block number and the times, so that a producer started again at a later
        time never repeats an id.
        """
        n = len(at)
        if n == 0:
            return []
        digest = hashlib.blake2b(
            np.asarray(at, np.float64).tobytes(), digest_size=16, key=b"%d/%d" % (self.seed, block)
        )
        rng = np.random.default_rng(np.frombuffer(digest.digest(), np.uint32))
        who = self._authors(rng, at)
        language = self._languages(rng, who)
        mood = np.searchsorted([0.28, 0.62], rng.random(n) + self.people.mood[who]).astype(np.int64)
        sentence = self.phrases.sentences.draw(language * 3 + mood, rng.random(n))
        trend_text, trend_json, trending = self._trends(rng, at)
        tag_text, tag_json = self._tags(rng, who, sentence)
        at_text, at_json = self._mentions(rng, n)
        likes, retweets, replies = engagement(rng, self.people.followers[who], trending)
        score = 1000.0 * (likes + retweets + replies) / np.maximum(self.people.followers[who], 1)
        openers, sentences, endings = self._wording(rng, language, mood, sentence)
        columns = zip(
            _uuids(rng, n),
            at_text,
            openers,
            sentences,
            endings,
            tag_text,
            trend_text,
            self._fragment[who].tolist(),
            np.datetime_as_string((at * 1000).astype("datetime64[ms]")).astype("S").tolist(),
            [(a + b)[1:] for a, b in zip(tag_json, trend_json, strict=True)],
            [a[1:] for a in at_json],
            self._origins_of(rng, language, self.people.country[who]),
            self._sentiments(rng, mood),
            score.tolist(),
            likes.tolist(),
            retweets.tolist(),
            replies.tolist(),
            strict=True,
        )
        return list(
            zip(repeat(TWEETS.raw.name, n), self._key[who].tolist(), [_VALUE % row for row in columns], strict=True)
        )

    def history(self, start: float, end: float, count: int) -> Floats:
        """Times of `count` tweets between `start` and `end`, denser where more of the world is awake."""
        return history(start, end, count, self.seed)

    def _authors(self, rng: np.random.Generator, at: Floats) -> Ints:
        """First a country, by who is awake, then one of its people, by how much they write."""
        edges = self._awake[bucket(at)]
        country = np.minimum((edges < rng.random(len(at))[:, None]).sum(axis=1), len(COUNTRIES) - 1)
        first, last = self.people.first[country], self.people.first[country + 1]
        activity = self.people.activity
        target = activity[first] + rng.random(len(at)) * (activity[last] - activity[first])
        return np.asarray(np.clip(np.searchsorted(activity, target, side="right") - 1, first, last - 1), np.int64)

    def _languages(self, rng: np.random.Generator, who: Ints) -> Ints:
        english = self.phrases.languages.index("en")
        return np.where(rng.random(len(who)) < ENGLISH_SHARE, english, self._language[who])

    def _tags(self, rng: np.random.Generator, who: Ints, sentence: Ints) -> tuple[list[bytes], list[bytes]]:
        """Up to two everyday hashtags of the sentence's theme; some people write theirs in lower case."""
        n, none = len(who), len(self._tag_text) - 1
        theme = self.phrases.theme[sentence]
        u = rng.random((2, n)) * (1.0 + theme) ** TAGLESS  # some themes are tagged far more often than others
        zipf = trends.TAGS_A_THEME ** rng.random((2, n)) - 1  # log-uniform
        tag = theme * trends.TAGS_A_THEME + zipf.astype(np.int64) % trends.TAGS_A_THEME
        one = np.where(u[0] < 0.8, tag[0], none)
        two = np.where((u[0] < 0.25) & (tag[1] != tag[0]), tag[1], none)
        lower = np.where(who % 4 == 0, len(trends.TAGS), 0)
        one, two = (np.where(t == none, none, t + lower) for t in (one, two))
        return (
            (self._tag_text[one] + self._tag_text[two]).tolist(),
            (self._tag_json[one] + self._tag_json[two]).tolist(),
        )

    def _trends(self, rng: np.random.Generator, at: Floats) -> tuple[list[bytes], list[bytes], npt.NDArray[np.bool_]]:
        names, picked = trends.pick(self.seed, at, rng.random(len(at)), EVERYDAY)
        texts = [*(b" #%b" % name.encode() for name in names), b""]
        quoted = [*(b',"%b"' % name.encode() for name in names), b""]
        rows = picked.tolist()  # -1, for none, is the empty one at the end
        return [texts[i] for i in rows], [quoted[i] for i in rows], picked >= 0

    def _mentions(self, rng: np.random.Generator, n: int) -> tuple[list[bytes], list[bytes]]:
        """Up to two people, the popular ones most."""
        none, u = len(self.people.username), rng.random(n)
        found = np.minimum(np.searchsorted(self._popular, rng.random((2, n))), none - 1)
        one = np.where(u < 0.2, found[0], none)
        two = np.where((u < 0.05) & (found[0] != found[1]), found[1], none)
        return ((self._at_text[one] + self._at_text[two]).tolist(), (self._at_json[one] + self._at_json[two]).tolist())

    def _wording(self, rng: np.random.Generator, language: Ints, mood: Ints, sentence: Ints) -> tuple[list[bytes], ...]:
        """What a text opens with, its sentence, and what it ends with."""
        n, say = len(language), self.phrases
        opener = say.openers.items[say.openers.draw(language, rng.random(n))]
        closer = say.closers.items[say.closers.draw(language, rng.random(n))]
        said = np.where(closer == b"", say.sentences.items[sentence], say.ended[sentence])
        emoji = say.emoji.items[say.emoji.draw(mood, rng.random(n))]
        ending = np.where(rng.random(n) < 0.3, closer + emoji, closer)
        return opener.tolist(), said.tolist(), ending.tolist()

    def _origins(self) -> Texts:
        """The language and region of a tweet as JSON, [language, country]; the last row and column are unknown."""
        languages = [f',"language":"{name}"'.encode() for name in self.phrases.languages]
        regions = [f',"region":"{c.code}"'.encode() for c in COUNTRIES]
        return np.array([[a + b for b in [*regions, b""]] for a in [*languages, b""]], dtype=object)

    def _origins_of(self, rng: np.random.Generator, language: Ints, country: Ints) -> list[bytes]:
        row = np.where(rng.random(len(language)) < NO_LANGUAGE, -1, language)
        column = np.where(rng.random(len(language)) < NO_REGION, -1, country)
        chosen: list[bytes] = self._origin[row, column].tolist()
        return chosen

    def _sentiments(self, rng: np.random.Generator, mood: Ints) -> list[bytes]:
        score = np.clip(MOOD_MEAN[mood] + rng.normal(0, 0.18, len(mood)), -1, 1)
        row = np.rint((score + 1) * 10_000).astype(np.int64)
        chosen: list[bytes] = self._sentiment[np.where(rng.random(len(mood)) < NO_SENTIMENT, -1, row)].tolist()
        return chosen


def _pieces(names: list[str], sign: str, before: str, after: str) -> tuple[Texts, Texts]:
    """Names as they stand in a text (`#Tag`) and in a JSON list (`,"Tag"`), and, last, nothing."""
    texts = [*(f"{before}{sign}{name}{after}".encode() for name in names), b""]
    quoted = [*(b"," + msgspec.json.encode(name) for name in names), b""]
    return np.array(texts, dtype=object), np.array(quoted, dtype=object)


def engagement(rng: np.random.Generator, followers: Ints, trending: npt.NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """Likes, retweets, replies: heavy-tailed, growing with the followers, more where the tweet rides a trend."""
    n = len(followers)
    reach = 0.35 * followers**0.6 * np.where(trending, 1.8, 1.0)
    likes = np.minimum(reach * rng.lognormal(-1.0, 1.4, n), 5e6).astype(np.int64)
    share = rng.random((2, n))
    return (
        likes,
        (likes * 0.45 * share[0] ** 2).astype(np.int64),
        (likes * 0.25 * share[1] ** 2 + share[1]).astype(np.int64),
    )


def _uuids(rng: np.random.Generator, n: int) -> list[bytes]:
    """`n` version 4 UUIDs, as text."""
    raw = rng.integers(0, 256, (n, 16), dtype=np.uint8)
    raw[:, 6] = (raw[:, 6] & 0x0F) | 0x40
    raw[:, 8] = (raw[:, 8] & 0x3F) | 0x80
    digits = np.frombuffer(raw.tobytes().hex().encode(), np.uint8).reshape(n, 32)
    text = np.full((n, 36), ord("-"), np.uint8)
    for start, end, to in ((0, 8, 0), (8, 12, 9), (12, 16, 14), (16, 20, 19), (20, 32, 24)):
        text[:, to : to + end - start] = digits[:, start:end]
    return text.view("S36").ravel().tolist()

"""Who tweets: users with names that fit where they live, Zipf popularity, followers, and how much they write."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
from faker import Faker

from producers.places import COUNTRIES, Floats

Ints = npt.NDArray[np.int64]
NAMES_A_LOCALE = 400  # first and last names drawn for each locale; people combine them
_HANDLES = ("{f}{l}", "{f}_{l}", "{f}{l}{n}", "{l}.{f}", "{f}{n}", "the{f}{l}", "{f}{l}_", "{l}{n}", "real{f}{l}")


@dataclass(frozen=True)
class People:
    """All users, in columns, ordered by country. Country `c` owns rows `first[c]` to `first[c + 1]`."""

    country: Ints
    first: Ints
    language: list[str]
    username: list[str]
    followers: Ints
    popularity: Floats  # how often others mention them; sums to 1
    activity: Floats  # cumulative, with a leading zero: how much the users before a row write
    mood: Floats  # a leaning, around 0
    key: list[bytes]
    fragment: list[bytes]  # the user as JSON, as it stands in a tweet


def people(seed: int, count: int) -> People:
    """A population of `count`, the same for the same seed. `count` must be at least the number of countries."""
    rng = np.random.default_rng([seed, 1])
    country = _countries(rng, count)
    popularity = rng.permutation(1.0 / (np.arange(count) + 2.7) ** 1.05)
    popularity /= popularity.sum()
    followers = np.maximum(3, popularity * 1.2e8 * rng.lognormal(-1.0, 1.1, count)).astype(np.int64)
    activity = (popularity**0.45) * rng.lognormal(0, 0.8, count)
    verified = rng.random(count) < np.clip((np.log10(followers) - 3) / 4, 0.002, 0.95)
    names, usernames = _names(seed, rng, country)
    ids = [f"u{n:08d}" for n in rng.choice(10**8, count, replace=False).tolist()]
    encode = msgspec.json.encode
    fragment = [
        b'{"user_id":"%b","username":%b,"display_name":%b,"followers_count":%d,"verified":%b}'
        % (uid.encode(), encode(handle), encode(name), fans, b"true" if blue else b"false")
        for uid, handle, name, fans, blue in zip(
            ids, usernames, names, followers.tolist(), verified.tolist(), strict=True
        )
    ]
    return People(
        country=country,
        first=np.searchsorted(country, np.arange(len(COUNTRIES) + 1)).astype(np.int64),
        language=_languages(rng, country),
        username=usernames,
        followers=followers,
        popularity=popularity,
        activity=np.concatenate(([0.0], np.cumsum(activity))),
        mood=rng.normal(0, 0.12, count),
        key=[uid.encode() for uid in ids],
        fragment=fragment,
    )


def _countries(rng: np.random.Generator, count: int) -> Ints:
    """A country for each person, sorted; every country has at least one."""
    share = np.array([c.share for c in COUNTRIES])
    drawn = rng.choice(len(COUNTRIES), count - len(COUNTRIES), p=share / share.sum())
    return np.asarray(np.sort(np.concatenate((np.arange(len(COUNTRIES)), drawn))), dtype=np.int64)


def _languages(rng: np.random.Generator, country: Ints) -> list[str]:
    options = [([n for n, _ in c.languages], np.cumsum([w for _, w in c.languages])) for c in COUNTRIES]
    return [
        options[c][0][min(int(np.searchsorted(options[c][1], u)), len(options[c][0]) - 1)]
        for c, u in zip(country.tolist(), rng.random(len(country)).tolist(), strict=True)
    ]


def _names(seed: int, rng: np.random.Generator, country: Ints) -> tuple[list[str], list[str]]:
    """Display names and handles. Faker is slow, so it makes pools of first and last names, which people combine."""
    pools = {locale: name_pool(seed, locale) for locale in sorted({c.locale for c in COUNTRIES})}
    latin = pools["en_GB"]
    names, handles, taken = [], [], set[str]()
    draws = rng.integers(0, NAMES_A_LOCALE, (len(country), 4)).tolist()
    for c, (f, last, style, n) in zip(country.tolist(), draws, strict=True):
        locale = COUNTRIES[c].locale
        firsts, lasts = pools[locale]
        eastern = locale in {"ja_JP", "ko_KR"}
        names.append(f"{lasts[last]} {firsts[f]}" if eastern else f"{firsts[f]} {lasts[last]}")
        handle = _handle(firsts[f], lasts[last], latin[0][f], latin[1][last], style, n)
        while handle in taken:
            handle += str(rng.integers(10))
        taken.add(handle)
        handles.append(handle)
    return names, handles


def name_pool(seed: int, locale: str) -> tuple[list[str], list[str]]:
    fake = Faker(locale, use_weighting=False)
    fake.seed_instance(f"{seed} {locale}")
    firsts = [fake.first_name() for _ in range(NAMES_A_LOCALE)]
    return firsts, [fake.last_name() for _ in range(NAMES_A_LOCALE)]


def _handle(first: str, last: str, latin_first: str, latin_last: str, style: int, n: int) -> str:
    """A handle in ASCII; people whose names have no Latin letters take a Latin nickname, as people do."""
    f, s = latin(first) or latin(latin_first), latin(last) or latin(latin_last)
    return _HANDLES[style % len(_HANDLES)].format(f=f, l=s, n=n % 100)[:24]


def latin(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z]", "", plain.lower())

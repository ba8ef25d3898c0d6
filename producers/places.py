"""Where people are: countries with their share of the world's tweets, languages, time zone and the locale of their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
BUCKETS_A_DAY = 144  # ten minutes each: fine enough for a daily rhythm


@dataclass(frozen=True)
class Country:
    """`code` is ISO 3166-1 alpha-3; `utc_offset` is standard time, in hours; `share` is relative to the others."""

    code: str
    share: float
    utc_offset: float
    locale: str  # Faker's
    languages: tuple[tuple[str, float], ...]  # ISO 639-1, share of the country's people


COUNTRIES: tuple[Country, ...] = tuple(
    Country(code, share, offset, locale, languages)
    for code, share, offset, locale, languages in (
        ("USA", 190, -6, "en_US", (("en", 0.87), ("es", 0.13))),
        ("JPN", 130, 9, "ja_JP", (("ja", 1.0),)),
        ("BRA", 75, -3, "pt_BR", (("pt", 1.0),)),
        ("IND", 70, 5.5, "en_IN", (("en", 0.45), ("hi", 0.55))),
        ("GBR", 60, 0, "en_GB", (("en", 1.0),)),
        ("IDN", 58, 7, "id_ID", (("id", 0.95), ("en", 0.05))),
        ("TUR", 46, 3, "tr_TR", (("tr", 1.0),)),
        ("MEX", 44, -6, "es_MX", (("es", 1.0),)),
        ("SAU", 38, 3, "ar_SA", (("ar", 0.93), ("en", 0.07))),
        ("FRA", 30, 1, "fr_FR", (("fr", 1.0),)),
        ("ESP", 29, 1, "es_ES", (("es", 1.0),)),
        ("PHL", 27, 8, "en_PH", (("en", 1.0),)),
        ("CAN", 26, -5, "en_CA", (("en", 0.8), ("fr", 0.2))),
        ("DEU", 25, 1, "de_DE", (("de", 0.94), ("en", 0.06))),
        ("KOR", 24, 9, "ko_KR", (("ko", 1.0),)),
        ("ARG", 22, -3, "es_AR", (("es", 1.0),)),
        ("EGY", 20, 2, "ar_EG", (("ar", 1.0),)),
        ("COL", 18, -5, "es_CO", (("es", 1.0),)),
        ("NGA", 17, 1, "en_NG", (("en", 1.0),)),
        ("AUS", 16, 10, "en_AU", (("en", 1.0),)),
        ("ITA", 15, 1, "it_IT", (("it", 1.0),)),
        ("POL", 12, 1, "pl_PL", (("pl", 1.0),)),
        ("NLD", 12, 1, "nl_NL", (("nl", 0.85), ("en", 0.15))),
        ("ARE", 11, 4, "ar_AE", (("ar", 0.55), ("en", 0.45))),
        ("ZAF", 10, 2, "en_GB", (("en", 1.0),)),
        ("CHL", 10, -4, "es_CL", (("es", 1.0),)),
        ("PER", 8, -5, "es_CO", (("es", 1.0),)),
        ("KEN", 8, 3, "en_KE", (("en", 1.0),)),
        ("BEL", 7, 1, "nl_BE", (("nl", 0.58), ("fr", 0.42))),
        ("MAR", 7, 1, "fr_DZ", (("ar", 0.7), ("fr", 0.3))),
        ("DZA", 6, 1, "fr_DZ", (("ar", 0.72), ("fr", 0.28))),
        ("ECU", 6, -5, "es_CO", (("es", 1.0),)),
        ("PRT", 6, 0, "pt_PT", (("pt", 1.0),)),
        ("IRL", 6, 0, "en_IE", (("en", 1.0),)),
        ("CHE", 6, 1, "de_CH", (("de", 0.63), ("fr", 0.27), ("it", 0.1))),
        ("AUT", 5, 1, "de_AT", (("de", 1.0),)),
        ("JOR", 5, 3, "ar_JO", (("ar", 1.0),)),
        ("SGP", 5, 8, "en_PH", (("en", 1.0),)),
        ("NZL", 4, 12, "en_NZ", (("en", 1.0),)),
        ("SEN", 3, 0, "fr_FR", (("fr", 1.0),)),
        ("URY", 3, -3, "es_AR", (("es", 1.0),)),
        ("AGO", 3, 1, "pt_PT", (("pt", 1.0),)),
    )
)


def awake(local_hour: Floats) -> Floats:
    """How much people tweet at a local hour, relative: least at four in the morning, most at nine in the evening."""
    evening = np.exp(2.2 * (np.cos((local_hour - 20.8) * np.pi / 12) - 1))
    morning = 0.45 * np.exp(6 * (np.cos((local_hour - 8.2) * np.pi / 12) - 1))
    noon = 0.4 * np.exp(7 * (np.cos((local_hour - 12.8) * np.pi / 12) - 1))
    return np.asarray(0.07 + evening + morning + noon)


def intensity() -> Floats:
    """Tweets expected of each country (columns, as in COUNTRIES) in each ten minutes of a UTC day (rows), relative."""
    utc_hour = (np.arange(BUCKETS_A_DAY) + 0.5) * 24 / BUCKETS_A_DAY
    offsets = np.array([c.utc_offset for c in COUNTRIES])
    shares = np.array([c.share for c in COUNTRIES])
    return np.asarray(awake((utc_hour[:, None] + offsets[None, :]) % 24) * shares)


def bucket(at: Floats) -> npt.NDArray[np.int64]:
    """The ten minutes of the UTC day that each time (seconds since the epoch) falls in."""
    return ((at % 86_400) * (BUCKETS_A_DAY / 86_400)).astype(np.int64)


def history(start: float, end: float, count: int, seed: int) -> Floats:
    """`count` times between `start` and `end`, sorted, denser where more of the world is awake."""
    return spread(start, end, count, seed, lambda at: np.asarray(intensity().sum(axis=1)[bucket(at)]))


def spread(start: float, end: float, count: int, seed: int, density: Callable[[Floats], Floats]) -> Floats:
    """`count` times between `start` and `end`, sorted, as dense as `density` says, which looks every ten minutes."""
    grid = np.linspace(start, end, max(2, int((end - start) / 600) + 2))
    here = density(grid)
    mass = np.concatenate(([0.0], np.cumsum((here[1:] + here[:-1]) / 2)))
    rng = np.random.default_rng([seed, int(start), int(end)])
    return np.asarray(np.sort(np.interp(rng.random(count) * mass[-1], mass, grid)))

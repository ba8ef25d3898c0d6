"""What is talked about: themes with their everyday hashtags, and trends that rise and fall with event time."""

from __future__ import annotations

import functools

import numpy as np

from producers.people import Ints
from producers.places import Floats

THEMES: dict[str, str] = {
    "football": "Football MatchDay Goal Derby ChampionsNight Kickoff Transfers WorldCup Penalty HatTrick",
    "music": "NowPlaying NewMusic Concert LiveMusic Vinyl Festival Album Kpop Jazz IndieRock",
    "work": "MondayMotivation RemoteWork Career Startup Office Freelance Hiring Productivity Teamwork WorkLife",
    "weather": "Weather Rain Sunshine Storm Heatwave Snow Winter Summer Spring Wind",
    "food": "Foodie Dinner Coffee Recipe Breakfast StreetFood Baking Vegan Lunch Ramen",
    "film": "Movies NowWatching SeriesFinale Cinema Anime Trailer BingeWatching Drama Oscars Documentary",
    "tech": "Tech Python DataEngineering OpenSource AI Cloud Gadgets Coding Security Kafka",
    "city": "CityLife Commute Traffic Metro PublicTransport Cycling Streets Architecture Housing Nightlife",
    "travel": "Travel Wanderlust Roadtrip Beach Mountains Airport Weekend Backpacking Sunset Hiking",
    "games": "Gaming Esports Speedrun Indiegame Stream RPG Retro Multiplayer GameDev Chess",
    "health": "Fitness Running Yoga Wellbeing Sleep MentalHealth Marathon Gym Meditation Walking",
    "news": "News Election Climate Economy Parliament Science Education Budget Debate Breaking",
}
TAGS: tuple[str, ...] = tuple(tag for words in THEMES.values() for tag in words.split())
TAGS_A_THEME = 10

_CITIES = (
    "Tokyo Osaka Berlin Hamburg Paris Lyon Madrid Seville London Leeds Dublin Lisbon Porto Rome Milan Turin Warsaw Krakow "
    "Istanbul Ankara Cairo Riyadh Dubai Lagos Nairobi Mumbai Delhi Pune Jakarta Bandung Manila Seoul Busan Sydney Perth "
    "Auckland Toronto Montreal Chicago Boston Austin Seattle Miami Denver Lima Quito Bogota Santiago Cordoba Rio Recife"
)
_HAPPENINGS = (
    "Marathon Derby Final Strike Blackout Festival Summit Parade Storm Derby Premiere Vote Protest Launch Auction Eclipse "
    "Quake Flood Jam OpenAir Masters GrandPrix Expo Awards Comeback Rumour Heatwave Snowfall Playoffs Gala"
)
SLOT_S = 900  # trends are drawn for each quarter of an hour
LIFE_SLOTS = 40  # a trend is forgotten ten hours after its slot


@functools.lru_cache(maxsize=4096)
def _slot(seed: int, slot: int) -> tuple[tuple[str, float, float, float, float], ...]:
    """The trends that set on in a slot: (hashtag, onset, seconds to the peak, decay in seconds, height)."""
    rng = np.random.default_rng([seed, 2, slot])
    cities, happenings = _CITIES.split(), _HAPPENINGS.split()
    found = []
    for _ in range(rng.integers(1, 4)):
        name = f"{cities[rng.integers(len(cities))]}{happenings[rng.integers(len(happenings))]}"
        onset, rise = (slot + rng.random()) * SLOT_S, rng.uniform(120, 1500)
        found.append((name, float(onset), float(rise), float(rng.uniform(900, 7200)), float(rng.pareto(1.3) + 0.15)))
    return tuple(found)


def weights(seed: int, at: Floats) -> tuple[list[str], Floats]:
    """The trends alive around times `at` (seconds since the epoch, not empty), and their weights, [time, trend]."""
    now = np.unique(at // SLOT_S).astype(np.int64)
    slots = (
        np.unique(now[:, None] - np.arange(LIFE_SLOTS + 1)).clip(min=0).tolist()
    )  # only those near: times may be far apart
    alive = [trend for slot in dict.fromkeys(slots) for trend in _slot(seed, slot)]
    onset, rise, decay, height = (np.array([t[i] for t in alive]) for i in (1, 2, 3, 4))
    age = at[:, None] - onset[None, :]
    shape = np.where(age < rise, age / rise, np.exp(-np.maximum(age - rise, 0) / decay))
    return [t[0] for t in alive], np.asarray(np.where(age > 0, shape, 0) * np.minimum(height, 12.0))


def pick(seed: int, at: Floats, u: Floats, everyday: float) -> tuple[list[str], Ints]:
    """The trend that each tweet at `at` takes part in, by uniform draws `u`; -1 for none.

    `everyday` is the weight of talk about nothing in particular, against which trends compete.
    """
    minute, which = np.unique((at // 60).astype(np.int64), return_inverse=True)
    names, weight = weights(seed, np.asarray(minute * 60.0 + 30, np.float64))
    edges = np.cumsum(weight, axis=1)
    edges /= edges[:, -1:] + everyday
    found = (edges[which] < u[:, None]).sum(axis=1)
    return names, np.where(found < len(names), found, -1)

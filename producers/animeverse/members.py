"""The customer programme: who they are, in which segment and country, and who is about at a time."""

from __future__ import annotations

from producers.animeverse.chance import chance
from producers.animeverse.rhythm import HOUR_S, moment
from producers.animeverse.stores import SHOPS
from producers.animeverse.timeline import Timeline
from producers.people import NAMES_A_LOCALE, latin, name_pool
from topics.animeverse.reference import Customer

MEMBERS = 4000
PERIOD = 8 * 24 * HOUR_S  # about how often something changes for a member
ABOUT = 500  # members who are about in a quarter of an hour: the others do nothing, so that sessions end
SLOT_S = 900.0
SLOTS_KEPT = 64
SEGMENTS = ("new", "regular", "fan", "collector")
_SHARES = (0.2, 0.65, 0.9, 1.0)  # cumulative
_HOMES = {  # country: Faker's locale, weight
    "DEU": ("de_DE", 30), "FRA": ("fr_FR", 22), "ITA": ("it_IT", 14), "POL": ("pl_PL", 10), "PRT": ("pt_PT", 7),
    "JPN": ("ja_JP", 14), "AUT": ("de_AT", 5), "ESP": ("es_ES", 6), "NLD": ("nl_NL", 4), "GBR": ("en_GB", 5),
}  # fmt: skip
LANGUAGES = {
    "DEU": "de",
    "AUT": "de",
    "FRA": "fr",
    "ITA": "it",
    "POL": "pl",
    "PRT": "pt",
    "JPN": "ja",
    "ESP": "es",
    "NLD": "nl",
}
_EDGES = [sum(weight for _, weight in list(_HOMES.values())[: n + 1]) for n in range(len(_HOMES))]
_CITIES = {p.country: p.city for p in SHOPS if p.city}


class Members:
    """The members. `ids` grows while the world runs."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.changes = Timeline(seed, PERIOD, "moved segment")
        self.ids = [f"c{n:06d}" for n in range(MEMBERS)]
        self._pools = {locale: name_pool(seed, locale) for locale, _ in _HOMES.values()}
        self._slots: dict[int, tuple[list[int], set[str]]] = {}

    def about(self, at: float) -> list[int]:
        """Rows of those who are about at a time."""
        return self._about(at)[0]

    def about_ids(self, at: float) -> set[str]:
        """Their ids."""
        return self._about(at)[1]

    def _about(self, at: float) -> tuple[list[int], set[str]]:
        slot = int(at // SLOT_S)
        if slot not in self._slots:
            if len(self._slots) >= SLOTS_KEPT:
                del self._slots[next(iter(self._slots))]
            rows = chance(self.seed, "about", slot).sample(range(MEMBERS), ABOUT)
            self._slots[slot] = rows, {self.ids[row] for row in rows}
        return self._slots[slot]

    def language(self, member: str) -> str:
        return LANGUAGES.get(self._home(member), "en")

    def version(self, member: str, valid_from: float, number: int, reason: str, wrong: bool = False) -> Customer:
        """A member as reference data. Some versions move them to another country; `reason` says which it is."""
        draw = chance(self.seed, "member", member, number, wrong)
        segment, home = SEGMENTS[draw.row(_SHARES)], self._home(member)
        if draw.happens(0.15):
            home, reason = draw.choice(list(_HOMES)), reason.replace("moved segment", "moved country")
        first, last, handle = self._name(member)
        return Customer(
            customer_id=member, name=f"{last} {first}" if self._home(member) == "JPN" else f"{first} {last}",
            email=f"{handle}@mail.example", segment=segment, country=home, city=_CITIES.get(home, ""),
            consent=draw.happens(0.7), valid_from=moment(valid_from), change_reason=reason,
        )  # fmt: skip

    def _home(self, member: str) -> str:
        return list(_HOMES)[chance(self.seed, "home", member).row(_EDGES)]

    def _name(self, member: str) -> tuple[str, str, str]:
        draw = chance(self.seed, "name", member)
        firsts, lasts = self._pools[_HOMES[self._home(member)][0]]
        f, s = draw.randrange(NAMES_A_LOCALE), draw.randrange(NAMES_A_LOCALE)
        english = self._pools["en_GB"]
        handle = f"{latin(firsts[f]) or latin(english[0][f])}.{latin(lasts[s]) or latin(english[1][s])}{member[-3:]}"
        return firsts[f], lasts[s], handle

"""Reviews: of what was bought, and of films, by those who bought or saw them, with stars and words that fit."""

from __future__ import annotations

import msgspec

from producers.animeverse.catalogue import Catalogue
from producers.animeverse.chance import Chance
from producers.animeverse.members import Members
from producers.animeverse.rhythm import moment
from producers.animeverse.shop import Sale, Shop
from producers.animeverse.visits import Visits
from producers.faults import Event
from topics.animeverse.reviews import REVIEWS, Review

FILMS = 0.4  # of the reviews are of a film
FOLLOWING = 0.85  # follow a purchase or a visit, where there is one
NATIVE = 0.3  # of the members write in their own language
WORDS = {
    "en": (
        ("terrible", "a waste of money", "broke after a day", "so disappointing", "boring from start to end", "awful"),
        ("okay, nothing special", "average", "does what it says", "fine for the price", "I expected more, still fine"),
        (
            "wonderful",
            "I love it",
            "absolutely beautiful",
            "great quality",
            "made me cry, in a good way",
            "perfect gift",
        ),
    ),
    "de": (
        ("enttäuschend", "leider kaputt"),
        ("ganz okay", "Durchschnitt"),
        ("wunderschön", "große Liebe", "sehr gut"),
    ),
    "fr": (("décevant", "très mauvais"), ("correct", "moyen"), ("magnifique", "je l'adore", "très beau")),
    "it": (("deludente", "pessimo"), ("niente di speciale",), ("bellissimo", "lo adoro")),
    "pl": (("rozczarowanie", "okropne"), ("może być",), ("piękne", "uwielbiam")),
    "pt": (("uma desilusão", "péssimo"), ("razoável",), ("maravilhoso", "adoro")),
    "ja": (("残念でした", "がっかり"), ("普通です",), ("最高です", "大好き", "とても綺麗")),
    "es": (("decepcionante", "malísimo"), ("normal",), ("precioso", "me encanta")),
    "nl": (("teleurstellend",), ("gewoon oké",), ("prachtig", "geweldig")),
}
ENDINGS = ("", "", ".", "!", " ⭐", " :)")


class Critics:
    def __init__(self, catalogue: Catalogue, members: Members, visits: Visits, shop: Shop) -> None:
        self._catalogue = catalogue
        self._members = members
        self._visits = visits
        self._shop = shop

    def event(self, at: float, draw: Chance) -> Event:
        film = draw.happens(FILMS)
        title, subject, who = self._film(at, draw) if film else self._product(at, draw)
        stars = round(min(5.0, max(1.0, draw.gauss(2.6 + 2.4 * self._catalogue.quality(title), 1.0))))
        language = self._members.language(who) if who and draw.happens(NATIVE) else "en"
        said = draw.choice(WORDS[language][0 if stars <= 2 else 1 if stars == 3 else 2])
        review = Review(
            review_id=draw.uuid(), at=moment(at), subject_kind="film" if film else "product", subject_id=subject,
            stars=stars, text=said + draw.choice(ENDINGS) if draw.happens(0.9) else "", customer_id=who,
            language=language,
        )  # fmt: skip
        return REVIEWS.raw.name, subject.encode(), msgspec.json.encode(review)

    def _film(self, at: float, draw: Chance) -> tuple[int, str, str | None]:
        """A title, its id, and who has seen it."""
        visit = self._visits.after(at, self._members.about_ids(at), draw) if draw.happens(FOLLOWING) else None
        title = visit.title if visit else draw.row(self._catalogue.title_edges)
        return title, self._catalogue.titles[title], visit.member if visit else None

    def _product(self, at: float, draw: Chance) -> tuple[int, str, str | None]:
        """The title that a product belongs to, its id, and who has bought it."""
        about = self._members.about_ids(at)

        def bought(sale: Sale) -> bool:
            return sale.at < at and sale.receipt.customer_id in about

        sale = self._shop.sales.find(bought, draw) if draw.happens(FOLLOWING) else None
        row = draw.choice(sale.items).row if sale else draw.randrange(len(self._catalogue.products))
        product = self._catalogue.product(row)
        title = self._catalogue.titles.index(product.title_id)
        return title, product.product_id, sale.receipt.customer_id if sale else None

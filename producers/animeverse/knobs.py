"""Faults of a business, beside those of any source: what customers, tills and offices get wrong."""

from __future__ import annotations

from dataclasses import dataclass

from producers import faults


@dataclass(frozen=True)
class Knobs(faults.Knobs):
    """Fractions of what each names, 0 to 1. Late events of any kind are up to two days late, a few up to three."""

    late_hours: float = 48.0
    very_late: float = 0.0002
    outage: float = 0.005
    outage_hours: float = 48.0
    return_without_sale: float = 0.02
    second_return: float = 0.03
    seat_taken: float = 0.003
    unknown_product: float = 0.003
    unknown_customer: float = 0.001
    below_cost: float = 0.003
    old_price: float = 0.01
    oversold: float = 0.002

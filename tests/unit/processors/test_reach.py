from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.reach import Reach


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 9), st.integers(0, 9))
def test_a_state_holds_the_log_only_where_it_wrote_all_of_it(end: int, written: int, own: int, foreign: int) -> None:
    before = Reach(end, written)
    after = before.moved(end + own + foreign, written + own)
    assert after == (Reach(end + own, written + own) if not foreign else before)

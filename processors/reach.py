"""How much of its changelog a state is known to hold, so that it need not read it all again at every rebalance."""

from __future__ import annotations

from typing import NamedTuple


class Reach(NamedTuple):
    """The state holds the changelog below `end`; it had written `written` records to it by then."""

    end: int = 0
    written: int = 0

    def moved(self, end: int, written: int) -> Reach:
        """The log ends at `end` now. The state holds it to there only if it wrote all that has come since itself.

        A worker that wakes late may have put records there that are ahead of this state. Passing over them would be a hole:
        the fence of what is read after them covers them.
        """
        return Reach(end, written) if end - self.end == written - self.written else self

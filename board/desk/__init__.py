"""The desk: every change of state on the board is one short transaction in one of these modules.

``reception`` takes things in, ``work`` is what agents do, ``decisions`` what people decide,
``record`` writes remote commands down before and after, ``waking`` takes and ends beats.
"""

from guardia.board.core.claims import Grant, Hold
from guardia.board.core.context import Desk

__all__ = ["Desk", "Grant", "Hold"]

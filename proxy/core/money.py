"""Money is integer nano-dollars (1e-9 USD) inside; floats appear only where people read.

A price of $0.15 per million tokens is 150 nano-dollars a token; $0.0000000045 a token is 4.5, so prices stay
decimal (per token) and only a call's total is rounded, half to even.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

NANO: Final = Decimal(10**9)


def to_nanousd(usd: Decimal) -> int:
    """USD as whole nano-dollars, rounded half to even."""
    return int((usd * NANO).to_integral_value(rounding=ROUND_HALF_EVEN))


def to_usd(nanousd: int) -> float:
    """Nano-dollars as USD for reading; exact up to 15 significant digits."""
    return float(Decimal(nanousd) / NANO)

"""Quantities as configurations name them."""

from __future__ import annotations

from broker.contract.quantities import QUANTITIES, Quantity


def known(name: str) -> Quantity:
    """The contract's quantity of that name. Raises ValueError that lists those there are."""
    try:
        return QUANTITIES[name]
    except KeyError:
        raise ValueError(f"{name[:40]!r} is no quantity; there are: {', '.join(QUANTITIES)}") from None

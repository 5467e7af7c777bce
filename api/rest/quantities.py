"""GET /quantities."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.http.answers import answer, documented
from api.http.auth import Reader
from api.http.shapes import QuantityItem, QuantityPage
from broker.contract.quantities import QUANTITIES

router = APIRouter(tags=["readings"])

_PAGE = QuantityPage(
    [
        QuantityItem(
            name=quantity.name,
            unit=quantity.unit,
            symbol=quantity.symbol,
            low=quantity.low,
            high=quantity.high,
            decimals=quantity.decimals,
            definition=quantity.definition,
            title=quantity.title,
        )
        for quantity in QUANTITIES.values()
    ],
    None,
)

_EXAMPLE = {
    "items": [
        {
            "name": "pm2_5",
            "unit": "ug/m3",
            "symbol": "µg/m³",
            "low": 0.0,
            "high": 2000.0,
            "decimals": 1,
            "definition": QUANTITIES["pm2_5"].definition,
            "title": "PM2.5",
        }
    ],
    "next": None,
}


@router.get(
    "/quantities",
    summary="What is measured: units, plausible ranges, definitions",
    responses=documented(QuantityPage, example=_EXAMPLE),
)
def list_quantities(request: Request, who: Reader) -> Response:  # noqa: ARG001 - asking for `who` is what guards it
    """All quantities, in the order in which pages show them."""
    return answer(request, _PAGE)

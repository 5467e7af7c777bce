"""The OpenAPI document says what the API does, and the API does what it says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from api.http import shapes
from api.http.openapi import PATH
from tests.node import Node

SHAPES = {
    "/api/v1/sites": shapes.SitePage,
    "/api/v1/devices": shapes.DevicePage,
    "/api/v1/quantities": shapes.QuantityPage,
    "/api/v1/series": shapes.SeriesPage,
    "/api/v1/latest": shapes.LatestPage,
    "/api/v1/readings": shapes.BucketPage,
    "/api/v1/presses": shapes.PressPage,
    "/api/v1/quarantine": shapes.QuarantinePage,
}


@pytest.fixture
def document(node: Node) -> dict[str, Any]:
    read: dict[str, Any] = node.get(PATH).json()
    return read


def test_every_operation_has_summary_example_and_problem_details(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        operation = operations["get"]
        assert operation["summary"], path
        assert {"400", "401", "404", "429", "503"} <= set(operation["responses"]), path
        assert "422" not in operation["responses"], path
        (media,) = operation["responses"]["200"]["content"].values()
        assert media["example"], path
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description") or parameter["in"] == "header", (path, parameter)


@pytest.mark.parametrize("path", SHAPES)
def test_every_example_has_the_shape_that_is_promised(document: dict[str, Any], path: str) -> None:
    example = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    assert msgspec.to_builtins(msgspec.convert(example, SHAPES[path])).keys() == example.keys()


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                found.add(part["$ref"])
            for inner in part.values():
                walk(inner)
        elif isinstance(part, list):
            for inner in part:
                walk(inner)

    walk(document)
    assert found
    assert found == {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def test_units_stand_with_the_numbers(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert "SenML" in schemas["SeriesItem"]["properties"]["unit"]["description"]
    assert "Degrees" in schemas["SiteItem"]["properties"]["latitude"]["description"]
    assert "conds" in schemas["Outbox"]["properties"]["oldest_s"]["description"]
    assert schemas["RawItem"]["properties"]["at"]["format"] == "date-time"

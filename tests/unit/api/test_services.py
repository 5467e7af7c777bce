"""The city services: found by their files, each of the same shape."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from sqlalchemy import select

from api import services
from api.db import Press, reading, transaction
from api.spec import Arrival
from broker.contract.messages import Clock
from broker.contract.messages import Press as PressMessage
from broker.contract.topics import KINDS
from tests.node import NOW_MS, Node

FILES = sorted(path.stem for path in Path(*services.__path__).glob("*.py") if not path.name.startswith("_"))


def test_every_file_is_a_service_of_its_name() -> None:
    assert list(services.discover()) == FILES


@pytest.mark.parametrize("name", FILES)
def test_a_service_handles_kinds_of_the_contract_and_says_what_it_does(name: str) -> None:
    service = services.discover()[name]
    assert service.says
    assert set(service.handlers) <= {kind.name for kind in KINDS.values()}


@pytest.mark.parametrize("name", FILES)
def test_services_never_import_each_other(name: str) -> None:
    tree = ast.parse((Path(*services.__path__) / f"{name}.py").read_text())
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [module for module in modules if module.startswith("api.services")]


def test_handlers_of_a_kind_are_those_of_every_service_that_has_one() -> None:
    assert set(services.handlers()) == {"press"}
    assert len(services.handlers()["press"]) == 1
    assert services.handlers({}) == {}


def arrival(message: object) -> Arrival:
    return Arrival("north", "n-1", "press", message, NOW_MS + 20)


def test_a_press_becomes_a_row(node: Node) -> None:
    press = PressMessage(
        v=1, epoch="a" * 12, seq=7, boot="b" * 12, clock=Clock.REPAIRED, button="ticket", at=NOW_MS / 1000 + 0.0004,
        count=57,
    )  # fmt: skip
    with transaction(node.engine) as session:
        for handle in services.handlers()["press"]:
            handle(session, arrival(press))
    with reading(node.engine) as session:
        (row,) = session.scalars(select(Press)).all()
    assert (row.site, row.device, row.button, row.count, row.clock) == ("north", "n-1", "ticket", 57, "repaired")
    assert (row.at_ms, row.received_ms) == (NOW_MS, NOW_MS + 20)


def test_what_is_no_press_is_a_fault_of_the_caller(node: Node) -> None:
    with transaction(node.engine) as session, pytest.raises(TypeError):
        services.handlers()["press"][0](session, arrival("press"))

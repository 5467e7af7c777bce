"""A fresh API for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node import Node
from tests.postgres import postgres

__all__ = ["node", "postgres"]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """An API with two sites, north (n-1, n-2) and south (s-1)."""
    made = Node(tmp_path)
    for site in ("north", "south"):
        made.add_site(site)
    for device, site in (("n-1", "north"), ("n-2", "north"), ("s-1", "south")):
        made.add_device(device, site)
    yield made
    made.close()

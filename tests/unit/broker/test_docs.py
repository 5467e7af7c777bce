from __future__ import annotations

from pathlib import Path

from broker import docs
from broker.contract.messages import Press
from broker.contract.quantities import CONVERSIONS, QUANTITIES
from broker.contract.topics import KINDS, Role

PAGE = Path(__file__).parents[3] / "docs" / "topics.md"


def test_the_page_in_docs_is_what_the_contract_says_now() -> None:
    assert PAGE.read_text(encoding="utf-8") == docs.topics_page(), "run `python -m broker docs`"


def test_the_page_names_every_kind_role_quantity_and_conversion() -> None:
    page = docs.topics_page()
    for kind in KINDS.values():
        assert f"| `{kind.direction}/{kind.name}` |" in page
        assert kind.says in page
    for role in Role:
        assert f"\n| {role} | " in page
    for quantity in QUANTITIES.values():
        assert f"\n| `{quantity.name}` | {quantity.title} | " in page
    for offered, stored in CONVERSIONS:
        assert f"\n| `{offered}` | `{stored}` | " in page
    assert Press.__name__ in page


def test_every_table_of_the_page_has_rows_of_one_width() -> None:
    for block in docs.topics_page().split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1

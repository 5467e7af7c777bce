"""Every message that the pages can say, found in their sources by Babel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract_from_dir

from api.web.stations import NOT_ENVIRONMENT
from broker.contract.quantities import QUANTITIES

WEB = Path(__file__).parents[4] / "api" / "web"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2"), ("static/js/**.js", "javascript")]

OPTIONS = {"templates/**.html": {"silent": "false"}, "static/js/**.js": {"parse_template_string": "true"}}


def messages() -> dict[str, set[str]]:
    """Message -> the files that say it, relative to api/web."""
    found: dict[str, set[str]] = {}
    for file, message in _extracted():
        found.setdefault(message, set()).add(file)
    for quantity in QUANTITIES.values():
        if quantity.name not in NOT_ENVIRONMENT:
            found.setdefault(quantity.title, set()).add("quantities")
    return found


def _extracted() -> Iterator[tuple[str, str]]:
    sources = extract_from_dir(str(WEB), METHODS, options_map=OPTIONS, keywords={"_": None, "_n": (1, 2)})
    for file, _line, message, _comments, _context in sources:
        yield file, message if isinstance(message, str) else message[0]

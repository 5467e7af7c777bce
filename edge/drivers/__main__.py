"""python -m edge.drivers --write | --check: docs/drivers.md, made from the drivers; press: push a simulated button."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge.drivers._finger import send
from edge.drivers._page import page

PAGE = Path(__file__).parents[2] / "docs" / "drivers.md"


def main() -> int:
    """Write or check the page, or press; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m edge.drivers")
    parser.add_argument("--write", action="store_true", help="write docs/drivers.md")
    parser.add_argument("--check", action="store_true", help="fail when docs/drivers.md is not current")
    press = parser.add_subparsers(dest="verb").add_parser("press", help="press a simulated button of a running agent")
    press.add_argument("control", help="the socket that `control` names in the site file")
    press.add_argument("button")
    asked = parser.parse_args()
    if asked.verb == "press":
        return _press(asked.control, asked.button)
    if asked.write:
        PAGE.write_text(page(), encoding="utf-8")
    if asked.check and (not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page()):
        print("docs/drivers.md is not current: python -m edge.drivers --write", file=sys.stderr)
        return 1
    return 0


def _press(control: str, button: str) -> int:
    try:
        answer = send(control, button)
    except OSError as error:
        answer = f"error: {control}: {error.strerror}; is the agent running, with gpio_buttons simulated?"
    print(answer)
    return 0 if answer == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())

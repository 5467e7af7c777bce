"""One file is one device type; the file's name is its registration, and is what `driver = "..."` in the site file says.

A file whose name begins with an underscore is no driver but what several drivers share.
"""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path

from edge.ports import Driver


class UnknownDriver(LookupError):
    """The site file names a driver that is no file here; the message lists those that are."""


def names() -> list[str]:
    """Every driver's name, in order, without importing any."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_"))


def load(name: str) -> Driver:
    """The driver of that name; its file alone is imported, and no vendor's library before `open`.

    Raises:
        UnknownDriver: there is no such file.
    """
    known = names()
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        meant = f"did you mean {close[0]!r}? " if close else ""
        raise UnknownDriver(f"no driver {name[:40]!r}; {meant}there are: {', '.join(known)}")
    driver = importlib.import_module(f"{__name__}.{name}").DRIVER
    if not isinstance(driver, Driver):
        raise TypeError(f"edge/drivers/{name}.py: DRIVER is no edge.ports.Driver")
    return driver

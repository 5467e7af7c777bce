"""Vendors' libraries, imported when an instrument is opened and not before."""

from __future__ import annotations

import importlib
from typing import Any

from edge.ports import SensorError


def vendor(module: str) -> Any:
    """The vendor's module. Raises SensorError that names the extra when it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise SensorError(f"Python package {package} is missing: pip install 'simpul[edge]'") from error

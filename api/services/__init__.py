"""The city services, one file each: a file whose name does not begin with `_` and that exposes SERVICE is one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

from api.spec import Handler, Service


def discover() -> Mapping[str, Service]:
    """Every service by its name, in the order of the names.

    Raises:
        TypeError: a file exposes no SERVICE, or one that is not named after its file.
    """
    found: dict[str, Service] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        if module.name.startswith("_"):
            continue
        service = getattr(importlib.import_module(f"{__name__}.{module.name}"), "SERVICE", None)
        if not isinstance(service, Service) or service.name != module.name:
            raise TypeError(f"api/services/{module.name}.py exposes no SERVICE named {module.name!r}")
        found[service.name] = service
    return found


def handlers(services: Mapping[str, Service] | None = None) -> Mapping[str, tuple[Handler, ...]]:
    """Kind name -> everything that is to happen at an arrival of that kind, each service's in the order of names."""
    by_kind: dict[str, tuple[Handler, ...]] = {}
    for service in (discover() if services is None else services).values():
        for kind, handler in service.handlers.items():
            by_kind[kind] = (*by_kind.get(kind, ()), handler)
    return by_kind

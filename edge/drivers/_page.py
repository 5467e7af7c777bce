"""docs/drivers.md, made from each driver and the docstring of its Config."""

from __future__ import annotations

import inspect
import re
import sys
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import inspect as types

from edge.drivers import load, names

HEAD = """# Drivers

Made by `python -m edge.drivers --write` from the files in `edge/drivers`; do not edit.

One file is one device type, and the file's name is what `driver = "..."` says in the site file. Every driver has a
simulated twin, which speaks the same bytes over a simulated wire. To add one, add a file: its `Config`, whose docstring
has attributes and an example, a pure `decode` that is tested on captured bytes, the twin, and `DRIVER`. Then write this
page anew.
"""

OVERVIEW = """| driver | what it is | measures |
|---|---|---|
"""

KEYS = """| key | value | default | meaning |
|---|---|---|---|
"""

_WORDS = MappingProxyType({types.StrType: "text", types.BoolType: "true or false", types.StructType: "table"})


def page() -> str:
    """The whole page."""
    drivers = [(name, load(name)) for name in names()]
    rows = [
        f"| [{name}](#{name}) | {driver.summary} | {', '.join(driver.measures) or 'as configured'} |\n"
        for name, driver in drivers
    ]
    return "\n".join((HEAD, OVERVIEW + "".join(rows), *(_chapter(name, driver) for name, driver in drivers)))


def attributes(config: type[Any]) -> dict[str, str]:
    """What the docstring of a Config says of each field."""
    fields = re.finditer(r"^    (\w+): (.+(?:\n {8,}.+)*)", _section(config, "Attributes"), re.MULTILINE)
    return {field[1]: " ".join(field[2].split()) for field in fields}


def example(config: type[Any]) -> str:
    """The TOML in the docstring of a Config."""
    return inspect.cleandoc(_section(config, "Example"))


def _chapter(name: str, driver: Any) -> str:
    story = inspect.cleandoc(sys.modules[f"edge.drivers.{name}"].__doc__ or "")
    made_up = "Its values are marked as simulated wherever they are shown.\n\n" if driver.made_up else ""
    return f"## {name}\n\n{story}\n\n{made_up}{_keys(driver.config)}\n```toml\n{example(driver.config)}\n```\n"


def _section(config: type[Any], title: str) -> str:
    found = re.search(rf"^{title}:\n((?: {{4,}}.*\n?|\n)*)", inspect.getdoc(config) or "", re.MULTILINE)
    return found[1] if found else ""


def _keys(config: type[Any]) -> str:
    """The table of a Config's keys, and of those of the tables within it."""
    says = attributes(config)
    rows, inner = "", ""
    for field in _struct(config).fields:
        default = "needed" if field.required else f"`{_value(field.default)}`"
        rows += f"| `{field.name}` | {_type(field.type)} | {default} | {says[field.name]} |\n"
        if isinstance(field.type, types.VarTupleType) and isinstance(field.type.item_type, types.StructType):
            inner += f"\nEach of `{field.name}`:\n\n{_keys(field.type.item_type.cls)}"
    return KEYS + rows + inner


def _struct(config: type[Any]) -> types.StructType:
    info = types.type_info(config)
    if not isinstance(info, types.StructType):
        raise TypeError(f"{config} is no msgspec Struct")
    return info


def _type(info: types.Type) -> str:
    match info:
        case types.IntType() | types.FloatType():
            return _number(info)
        case types.LiteralType():
            return ", ".join(f"`{_value(value)}`" for value in info.values)
        case types.DictType():
            return f"table of {_type(info.key_type)} = {_type(info.value_type)}"
        case types.VarTupleType():
            return f"list of {_type(info.item_type)}"
        case types.UnionType():
            return _type(next(kind for kind in info.types if not isinstance(kind, types.NoneType)))
    return _WORDS[type(info)]


def _number(info: types.IntType | types.FloatType) -> str:
    words = "integer" if isinstance(info, types.IntType) else "number"
    if info.gt is not None:
        words += f" above {info.gt:g}"
    if info.ge is not None:
        words += f" from {info.ge:g}"
    return words if info.le is None else f"{words} to {info.le:g}"


def _value(value: Any) -> str:
    """A value as TOML has it; "none" where TOML has nothing."""
    return "none" if value is None else msgspec.json.encode(value).decode()

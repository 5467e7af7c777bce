"""The site file: what this agent is, where its broker is, and what is wired to it. Checked whole before any I/O."""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from broker.contract.ids import NAME, SensorName
from edge import drivers
from edge.ports import Driver

Name = Annotated[str, Meta(pattern=rf"^{NAME}\Z", description="1 to 48 of a-z, 0-9 and inner hyphens")]
Text = Annotated[str, Meta(min_length=1)]
Port = Annotated[int, Meta(ge=1, le=65535)]
_S = TypeVar("_S", bound=Struct)


class Agent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[agent]`: who we are.

    Attributes:
        site, device: ids, as the server's registry has them.
        state_dir: directory of the outbox, relative to the site file; one agent's own.
        heartbeat_s: seconds between heartbeats.
    """

    site: Name
    device: Name
    state_dir: Text
    heartbeat_s: Annotated[float, Meta(ge=1, le=3600)] = 30


class Mqtt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[mqtt]`: the broker.

    Attributes:
        host, port: where it listens.
        password_file: file whose first line is the device's password, relative to the site file.
        ca_file: certificate authority of the broker, relative to the site file; empty for a connection without TLS.
    """

    host: Text
    port: Port = 1883
    password_file: Text
    ca_file: str = ""


class ClockTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[clock]`: how far the system's clock is to be trusted.

    Attributes:
        trust: "kernel" asks it whether the clock is synchronised; "always" vouches for it (a battery-backed clock).
        patience_s: seconds that readings wait for an unsynchronised clock after a start; presses never wait.
    """

    trust: Literal["kernel", "always"] = "kernel"
    patience_s: Annotated[float, Meta(ge=0, le=86_400)] = 300


class OutboxTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[outbox]`: what is kept while the server is away.

    Attributes:
        max_bytes: above it the oldest readings are given up, presses never.
        max_age_days: readings older than this are given up, once the clock is trusted.
        commit_s: seconds that readings are gathered before they are written; a power cut costs at most that much.
        backfill_per_s: messages of the past sent in a second, besides those of the present.
    """

    max_bytes: Annotated[int, Meta(ge=1_000_000)] = 512_000_000
    max_age_days: Annotated[float, Meta(gt=0)] = 90
    commit_s: Annotated[float, Meta(ge=0, le=3600)] = 1.0
    backfill_per_s: Annotated[float, Meta(ge=1, le=10_000)] = 500


class SensorTable(Struct, frozen=True, kw_only=True):
    """`[[sensor]]`: an instrument; its driver's own keys stand beside these.

    Attributes:
        name: of the sensor on this device.
        driver: a file of edge/drivers.
        interval_s: seconds from one reading to the next; an instrument with a memory says itself when to ask.
        simulated: its simulated twin instead of the hardware.
    """

    name: SensorName
    driver: Text
    interval_s: Annotated[float, Meta(ge=0.01, le=86_400)] = 10
    simulated: bool = False


class ButtonTable(Struct, frozen=True, kw_only=True):
    """`[[button]]`: buttons; their driver's own keys stand beside these.

    Attributes:
        name: of the panel on this device.
        driver: a file of edge/drivers.
        simulated: its simulated twin instead of the hardware.
    """

    name: SensorName
    driver: Text
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing that is wired to the device.

    Attributes:
        name, driver, interval_s, simulated: as in SensorTable.
        kind: the driver.
        settings: its own keys, of the type `kind.config`.
    """

    name: str
    driver: str
    interval_s: float
    simulated: bool
    kind: Driver
    settings: Any


@dataclass(frozen=True, slots=True)
class Site:
    """A site file that is right. Paths are absolute; `digest` is 12 hex digits of the file's SHA-256."""

    agent: Agent
    mqtt: Mqtt
    clock: ClockTable
    outbox: OutboxTable
    units: tuple[Unit, ...]
    directory: Path
    digest: str

    def path(self, text: str) -> Path:
        """A path of the site file, which is relative to it."""
        return self.directory / text


class ConfigError(Exception):
    """The site file cannot be used; `problems` are lines that name the key and the remedy."""

    retryable = False

    def __init__(self, path: Path, problems: list[str]) -> None:
        super().__init__("\n".join(f"{path}: {problem}" for problem in problems))
        self.problems = problems


def load(path: Path) -> Site:
    """The site file at `path`. Raises ConfigError with everything that is wrong."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(path, [f"{error.strerror}; name a site file that can be read"]) from None
    try:
        tables = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(path, [f"is no TOML: {error}"]) from None
    reader = _Reader()
    agent = reader.section(tables, "agent", Agent)
    mqtt = reader.section(tables, "mqtt", Mqtt)
    clock = reader.section(tables, "clock", ClockTable)
    outbox = reader.section(tables, "outbox", OutboxTable)
    units = tuple(reader.units(tables))
    reader.unknown("", tables, ("agent", "mqtt", "clock", "outbox", "sensor", "button"))
    if reader.problems or agent is None or mqtt is None or clock is None or outbox is None:
        raise ConfigError(path, reader.problems)
    directory = path.absolute().parent
    return Site(agent, mqtt, clock, outbox, units, directory, hashlib.sha256(content).hexdigest()[:12])


class _Reader:
    """Turns tables into structs and remembers everything that is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._names: set[tuple[str, str]] = set()

    def section(self, tables: Mapping[str, Any], name: str, shape: type[_S]) -> _S | None:
        table = tables.get(name, {})
        if not isinstance(table, dict):
            self.problems.append(f"{name}: write it as a table, [{name}]")
            return None
        self.unknown(f"[{name}] ", table, shape.__struct_fields__)
        return self._struct(f"[{name}] ", table, shape)

    def units(self, tables: Mapping[str, Any]) -> Iterator[Unit]:
        for section, shape in (("sensor", SensorTable), ("button", ButtonTable)):
            entries = tables.get(section, [])
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                self.problems.append(f"{section}: write each as a table of its own, [[{section}]]")
                continue
            for number, entry in enumerate(entries, start=1):
                where = f"[[{section}]] {entry.get('name', f'number {number}')!s}: "
                unit = self._unit(where, section, entry, shape)
                if unit is not None:
                    yield unit

    def unknown(self, where: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                close = difflib.get_close_matches(key, known, 1)
                remedy = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"
                self.problems.append(f"{where}{key}: there is no such key; {remedy}")

    def _unit(
        self, where: str, section: str, table: Mapping[str, Any], shape: type[SensorTable | ButtonTable]
    ) -> Unit | None:
        common = self._struct(where, table, shape)
        driver = self._driver(where, section, table.get("driver"))
        if driver is None:
            return None
        own = driver.config.__struct_fields__
        self.unknown(where, table, (*shape.__struct_fields__, *own))
        settings = self._struct(where, {key: value for key, value in table.items() if key in own}, driver.config)
        if common is None or settings is None:
            return None
        for key, name in (("name", common.name), *(("buttons", name) for name in getattr(settings, "buttons", ()))):
            if (key, name) in self._names:
                self.problems.append(f"{where}{key}: {name} is there already; names are there once on a device")
            self._names.add((key, name))
        interval_s = common.interval_s if isinstance(common, SensorTable) else 0.0
        return Unit(common.name, common.driver, interval_s, common.simulated, driver, settings)

    def _driver(self, where: str, section: str, name: object) -> Driver | None:
        if not isinstance(name, str):
            return None
        try:
            driver = drivers.load(name)
        except drivers.UnknownDriver as error:
            self.problems.append(f"{where}driver: {error}")
            return None
        wanted = "button" if reports_presses(driver) else "sensor"
        if wanted != section:
            self.problems.append(f"{where}driver: {name} belongs under [[{wanted}]]")
            return None
        return driver

    def _struct(self, where: str, table: Mapping[str, Any], shape: type[_S]) -> _S | None:
        """The table's known keys as a struct; every key that is wrong is a problem of its own."""
        before = len(self.problems)
        values: dict[str, Any] = {}
        for field in msgspec.structs.fields(shape):
            if field.name in table:
                try:
                    values[field.name] = msgspec.convert(table[field.name], field.type)
                except (msgspec.ValidationError, ValueError) as error:
                    self.problems.append(f"{where}{field.name}: {_plain(error)}{_allowed(field.type)}")
            elif field.required:
                self.problems.append(f"{where}{field.name}: is missing; {_means(shape, field.name)}")
        if len(self.problems) > before:
            return None
        try:
            return msgspec.convert(values, shape)
        except (msgspec.ValidationError, ValueError) as error:
            self.problems.append(f"{where}{_plain(error)}")
            return None


def reports_presses(driver: Driver) -> bool:
    """Whether it is a driver of buttons: their config says how their edges become presses."""
    return "lockout_ms" in driver.config.__struct_fields__


def _plain(error: Exception) -> str:
    return str(error).replace(" - at `$`", "").replace(" - at `$", " at `")


def _allowed(of: Any) -> str:
    """What a choice allows, and what a pattern means, for a message."""
    kind = msgspec.inspect.type_info(of)
    if isinstance(kind, msgspec.inspect.Metadata):
        description = (kind.extra_json_schema or {}).get("description")
        return f"; use {description}" if description else ""
    if isinstance(kind, msgspec.inspect.LiteralType):
        return f"; allowed are: {', '.join(map(str, kind.values))}"
    if isinstance(kind, msgspec.inspect.EnumType):
        return f"; allowed are: {', '.join(str(member.value) for member in kind.cls)}"
    return ""


def _means(shape: type[Struct], field: str) -> str:
    """What a key is for, from its struct's docstring."""
    for line in (shape.__doc__ or "").splitlines():
        names, colon, meaning = line.strip().partition(": ")
        if colon and field in names.split(", "):
            return f"{field} = {meaning}"
    return "every site file has it"

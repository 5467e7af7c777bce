"""The server's one TOML file: typed, every key with a default, unknown keys refused."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import zoneinfo
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from broker.client import Login

DEFAULT_FILE = "simpul.toml"
VARIABLE = "SIMPUL_CONFIG"

Port = Annotated[int, Meta(ge=1, le=65535)]
Days = Annotated[int, Meta(ge=1, le=36_500)]
AccountName = Annotated[str, Meta(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?\Z")]


class ConfigError(ValueError):
    """A settings file that cannot be used; the text names the file, the key and the remedy."""

    retryable = False


class Http(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the API and the pages answer.

    Attributes:
        host, port: to listen on.
        secure_cookies: send the session cookie over HTTPS only; true behind a TLS proxy.
        metrics_public: /metrics answers without a token.
        proxy: address of the reverse proxy whose X-Forwarded-For is believed; empty: nobody's.
    """

    host: str = "127.0.0.1"
    port: Port = 8080
    secure_cookies: bool = False
    metrics_public: bool = False
    proxy: str = ""


class Mqtt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker, and the account of each of our processes; passwords lie in `<data_dir>/secrets/<account>`.

    Attributes:
        ca_file: certificate authority of the broker, relative to the settings file; empty: no TLS.
    """

    host: str = "127.0.0.1"
    port: Port = 1883
    ca_file: str = ""
    ingest_account: AccountName = "ingest"
    api_account: AccountName = "api"
    worker_account: AccountName = "worker"


class Facts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The relational store: `postgresql+psycopg://…`, `sqlite:///…`, or empty for a file in the data directory."""

    url: str = ""


class Series(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The store of readings: `sqlite:///…`, or empty for a file in the data directory."""

    url: str = ""


class Retention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long each class of data is kept."""

    raw_days: Days = 400
    hourly_days: Days = 3650
    journal_days: Days = 7
    quarantine_per_reason: Annotated[int, Meta(ge=1, le=1_000_000)] = 1000


class Metrics(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ports on 127.0.0.1 where ingest and worker answer Prometheus; 0: not at all. The API answers on its own."""

    ingest_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    worker_port: Annotated[int, Meta(ge=0, le=65_535)] = 0


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything the server's processes are told.

    Attributes:
        data_dir: the node's directory, absolute.
        zone: of the city; days begin at its midnight and times are shown with its offset.
    """

    data_dir: Path = Path("var")
    zone: zoneinfo.ZoneInfo = zoneinfo.ZoneInfo("Asia/Jakarta")
    http: Http = Http()
    mqtt: Mqtt = Mqtt()
    facts: Facts = Facts()
    series: Series = Series()
    retention: Retention = Retention()
    metrics: Metrics = Metrics()

    @property
    def facts_url(self) -> str:
        return self.facts.url or f"sqlite:///{self.data_dir / 'facts.db'}"

    @property
    def series_url(self) -> str:
        return self.series.url or f"sqlite:///{self.data_dir / 'series.db'}"

    @property
    def day_offset_ms(self) -> int:
        """Where days begin: the zone's standard offset from UTC, without daylight saving, all year round."""
        at = datetime(2026, 1, 1, tzinfo=self.zone)
        offset = (at.utcoffset() or timedelta()) - (at.dst() or timedelta())
        return round(offset.total_seconds() * 1000)

    @property
    def accounts_file(self) -> Path:
        """What the broker reads its accounts from."""
        return self.data_dir / "broker" / "accounts.json"

    def secret_file(self, account: str) -> Path:
        return self.data_dir / "secrets" / account

    def login(self, account: str) -> Login:
        """How `account` enters the broker. Raises ConfigError when its password file cannot be read."""
        path = self.secret_file(account)
        try:
            password = path.read_text("utf-8").strip()
        except OSError as error:
            raise ConfigError(
                f"{path}: the password of the account {account!r} cannot be read ({error.strerror}); "
                "`python -m api init` creates it"
            ) from None
        ca_file = Path(self.mqtt.ca_file) if self.mqtt.ca_file else None
        return Login(self.mqtt.host, self.mqtt.port, account, password, ca_file)


def locate(named: str | None) -> Path:
    """The settings file: `named` on the command line, else $SIMPUL_CONFIG, else ./simpul.toml."""
    return Path(named or os.environ.get(VARIABLE) or DEFAULT_FILE)


def load(path: Path) -> Settings:
    """The settings in `path`; a default file that is not there means all defaults, beside the working directory.

    Raises:
        ConfigError: unreadable, no TOML, an unknown key, a wrong type or value.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        if path != Path(DEFAULT_FILE):
            raise ConfigError(f"{path}: no such file; write it, or name another with --config or {VARIABLE}") from None
        text = ""
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from None
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not TOML: {error}; see https://toml.io for the syntax") from None
    return parse(raw, path)


def parse(raw: Mapping[str, Any], path: Path) -> Settings:
    """Settings from a parsed file; `path` is what its relative paths are relative to, and what errors name."""
    try:
        settings = msgspec.convert(raw, Settings, dec_hook=_convert)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_explain(str(error))}") from None
    here = path.absolute().parent
    ca_file = str(here / settings.mqtt.ca_file) if settings.mqtt.ca_file else ""
    if ca_file and not Path(ca_file).is_file():
        raise ConfigError(f"{path}: mqtt.ca_file: no file {ca_file}; name the certificate, or remove the key")
    if settings.retention.hourly_days < settings.retention.raw_days:
        raise ConfigError(f"{path}: retention.hourly_days: less than raw_days; make it as much or more")
    return msgspec.structs.replace(
        settings,
        data_dir=Path(os.path.normpath(here / settings.data_dir)),
        mqtt=msgspec.structs.replace(settings.mqtt, ca_file=ca_file),
    )


def _convert(kind: type, value: Any) -> Any:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"Expected a non-empty `str`, got {value!r}")
    if kind is Path:
        return Path(value)
    try:
        return zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is no time zone; use a name such as 'Asia/Jakarta'") from None


def _explain(message: str) -> str:
    """What msgspec says, with the key first, and with the known keys where one is not known."""
    what, _, place = message.partition(" - at `$")
    key = place.rstrip("`").lstrip(".")
    unknown = re.search(r"unknown field `(.*)`", what)
    if unknown is None:
        return f"{key or 'the file'}: {what}"
    known = list(_keys(key))
    near = difflib.get_close_matches(unknown[1], known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
    return f"{key + '.' if key else ''}{unknown[1]}: unknown key; {hint}"


def _keys(table: str) -> tuple[str, ...]:
    shapes: dict[str, type[Struct]] = {
        "": Settings,
        "http": Http,
        "mqtt": Mqtt,
        "facts": Facts,
        "series": Series,
        "retention": Retention,
        "metrics": Metrics,
    }
    return shapes[table].__struct_fields__ if table in shapes else ()

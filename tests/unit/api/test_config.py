"""The settings file: every default, and an error for each way to get it wrong."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from api.config import ConfigError, load, locate

FULL = """
data_dir = "var"
zone = "Asia/Jakarta"
[http]
host = "0.0.0.0"
port = 80
secure_cookies = true
metrics_public = true
proxy = "10.0.0.1"
[mqtt]
host = "broker"
port = 8883
ingest_account = "ingest-2"
api_account = "api-2"
worker_account = "worker-2"
[facts]
url = "postgresql+psycopg://simpul@db/simpul"
[series]
url = "sqlite:////data/series.db"
[retention]
raw_days = 10
hourly_days = 20
journal_days = 3
quarantine_per_reason = 5
"""


def written(directory: Path, text: str) -> Path:
    file = directory / "simpul.toml"
    file.write_text(text, "utf-8")
    return file


def test_an_empty_file_means_all_defaults_beside_the_file(tmp_path: Path) -> None:
    settings = load(written(tmp_path, ""))
    assert settings.data_dir == tmp_path / "var"
    assert settings.zone == ZoneInfo("Asia/Jakarta")
    assert (settings.http.host, settings.http.port, settings.http.secure_cookies) == ("127.0.0.1", 8080, False)
    assert (settings.mqtt.port, settings.mqtt.ca_file, settings.mqtt.ingest_account) == (1883, "", "ingest")
    assert settings.facts_url == f"sqlite:///{tmp_path}/var/facts.db"
    assert settings.series_url == f"sqlite:///{tmp_path}/var/series.db"
    assert settings.accounts_file == tmp_path / "var" / "broker" / "accounts.json"
    assert (settings.retention.raw_days, settings.retention.quarantine_per_reason) == (400, 1000)


def test_every_key_can_be_set(tmp_path: Path) -> None:
    settings = load(written(tmp_path, FULL))
    assert settings.facts_url.startswith("postgresql")
    assert settings.series_url == "sqlite:////data/series.db"
    assert settings.http.port == 80
    assert settings.mqtt.worker_account == "worker-2"
    assert settings.retention.journal_days == 3


@pytest.mark.parametrize(
    ("text", "key", "remedy"),
    [
        ("[htpp]\nport = 1", "htpp", "did you mean 'http'?"),
        ("[http]\nprot = 1", "http.prot", "did you mean 'port'?"),
        ("[http]\nzzz = 1", "http.zzz", "known here: host, port"),
        ("[http]\nport = '80'", "http.port", "Expected `int`, got `str`"),
        ("[http]\nport = 70000", "http.port", "<= 65535"),
        ("[http]\nport = 0", "http.port", ">= 1"),
        ("[http]\nport = true", "http.port", "Expected `int`"),
        ("http = 3", "http", "Expected `object`"),
        ("zone = 'Asia/Jakata'", "zone", "'Asia/Jakarta'"),
        ("zone = '../../etc/passwd'", "zone", "'Asia/Jakarta'"),
        ("zone = 7", "zone", "non-empty"),
        ("data_dir = ''", "data_dir", "non-empty"),
        ('data_dir = "a\\u0000b"', "data_dir", "non-empty"),
        ("[mqtt]\napi_account = 'API'", "mqtt.api_account", "matching"),
        ("[mqtt]\nca_file = 'none.pem'", "mqtt.ca_file", "name the certificate"),
        ("[retention]\nraw_days = 0", "retention.raw_days", ">= 1"),
        ("[retention]\nraw_days = 30\nhourly_days = 20", "retention.hourly_days", "as much or more"),
        ("[http\nport = 1", "not TOML", "toml.io"),
        ("a = " + "[" * 5000, "not TOML", "toml.io"),
    ],
)
def test_a_bad_file_is_refused_naming_file_key_and_remedy(tmp_path: Path, text: str, key: str, remedy: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(file) in str(caught.value)
    assert key in str(caught.value)
    assert remedy in str(caught.value)
    assert not caught.value.retryable


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SIMPUL_CONFIG"):
        load(tmp_path / "none.toml")


def test_a_directory_and_other_bytes_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"zone = '\xe9'")
    with pytest.raises(ConfigError, match="save the file as UTF-8"):
        load(tmp_path / "latin.toml")


def test_the_file_is_named_by_argument_then_variable_then_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMPUL_CONFIG", raising=False)
    assert locate(None) == Path("simpul.toml")
    monkeypatch.setenv("SIMPUL_CONFIG", "/etc/simpul.toml")
    assert locate(None) == Path("/etc/simpul.toml")
    assert locate("other.toml") == Path("other.toml")


def test_a_missing_password_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    settings = load(written(tmp_path, ""))
    with pytest.raises(ConfigError, match="python -m api init"):
        settings.login("api")


def test_a_login_shows_no_password(tmp_path: Path) -> None:
    settings = load(written(tmp_path, "data_dir = '.'"))
    settings.secret_file("api").parent.mkdir()
    settings.secret_file("api").write_text("hush\n")
    login = settings.login("api")
    assert login.password == "hush"
    assert "hush" not in repr(login)


@pytest.mark.parametrize(
    ("zone", "hours"), [("Asia/Jakarta", 7), ("Asia/Kathmandu", 5.75), ("Europe/Berlin", 1), ("America/New_York", -5)]
)
def test_days_begin_by_standard_time_all_year(tmp_path: Path, zone: str, hours: float) -> None:
    assert load(written(tmp_path, f"zone = '{zone}'")).day_offset_ms == hours * 3_600_000

"""The pages over HTTP, without a browser: who may see them, what they carry, and that they need no script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from api.series.sqlite import SqliteSeriesStore
from broker.contract.messages import Sensor
from broker.contract.series import Quality
from tests.e2e.city import City

EVIL = "<script>alert('title')</script>"


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    with closing(City(tmp_path)) as city:
        city.add("rsud", "roof", place="RSUD Tangerang Selatan", title="Atap")
        city.heard("rsud", "roof", ago_s=5, sensors=[Sensor(name="air", driver="sen5x")])
        city.write("rsud", "roof", "pm2_5", [(city.now() - 12_000, 86.44)], interval_ms=10_000)
        city.start()
        yield city


@pytest.fixture
def visitor(city: City) -> Iterator[httpx.Client]:
    """Someone who has not signed in."""
    with httpx.Client(base_url=city.url, timeout=20) as client:
        yield client


@pytest.fixture
def reader(city: City, visitor: httpx.Client) -> httpx.Client:
    """Someone who has."""
    assert sign_in(visitor, city.token).status_code == 303
    return visitor


def sign_in(client: httpx.Client, token: str, next_page: str = "/", **headers: str) -> httpx.Response:
    sent = {"Origin": str(client.base_url).rstrip("/"), **headers}
    return client.post("/login", data={"token": token, "next": next_page}, headers=sent)


def test_a_page_leads_who_is_not_signed_in_to_the_form_and_back(city: City, visitor: httpx.Client) -> None:
    answer = visitor.get("/environment/roof?range=7d")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fenvironment%2Froof%3Frange%3D7d"
    form = visitor.get(answer.headers["location"])
    assert 'value="/environment/roof?range=7d"' in form.text
    signed = sign_in(visitor, city.token, "/environment/roof?range=7d")
    assert signed.headers["location"] == "/environment/roof?range=7d"
    assert visitor.get("/environment/roof?range=7d").status_code == 200


def test_signing_in_leads_to_no_other_site(city: City, visitor: httpx.Client) -> None:
    assert sign_in(visitor, city.token, "//evil.example/").headers["location"] == "/"


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(city: City, visitor: httpx.Client) -> None:
    cookie = sign_in(visitor, city.token).headers["set-cookie"].lower()
    assert "simpul_session=" in cookie
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert city.token not in cookie


def test_a_wrong_token_is_told_plainly_and_opens_nothing(visitor: httpx.Client) -> None:
    answer = sign_in(visitor, "simpul_wrong")
    assert answer.status_code == 401
    assert "Token ini tidak dikenal, kedaluwarsa, atau dicabut." in answer.text
    assert "simpul_wrong" not in answer.text
    assert visitor.get("/environment").status_code == 303


def test_guessing_tokens_has_to_wait(city: City, visitor: httpx.Client) -> None:
    statuses = [sign_in(visitor, f"simpul_{i}").status_code for i in range(12)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert "coba lagi dalam" in sign_in(visitor, city.token).text


@pytest.mark.parametrize("path", ["/login", "/logout", "/preferences"])
def test_no_other_site_can_send_a_form(city: City, visitor: httpx.Client, path: str) -> None:
    form = {"token": city.token, "language": "en"}
    answer = visitor.post(path, data=form, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_signing_out_ends_the_session_on_the_server(reader: httpx.Client) -> None:
    cookie = reader.cookies["simpul_session"]
    assert reader.post("/logout", headers={"Origin": str(reader.base_url).rstrip("/")}).headers["location"] == "/login"
    assert reader.get("/fleet", headers={"Cookie": f"simpul_session={cookie}"}).status_code == 303


def test_who_is_signed_in_is_not_asked_again(reader: httpx.Client) -> None:
    assert reader.get("/login?next=/fleet").headers["location"] == "/fleet"


def test_the_values_are_in_the_page_without_any_script(reader: httpx.Client) -> None:
    page = reader.get("/environment").text
    assert '<span class="value">86,4</span>' in page
    assert "µg/m³" in page
    assert re.search(r"1\d dtk lalu", page)
    assert "<noscript>" in page


def test_p5_a_stale_value_is_stale_in_the_page_itself(city: City, reader: httpx.Client) -> None:
    city.add("rsud", "hall", title="Aula")
    city.write("rsud", "hall", "pm2_5", [(city.now() - 3_600_000, 40.0)], interval_ms=10_000)
    page = reader.get("/environment").text
    assert re.search(r'<div class="reading stale" data-reading="hall/air/pm2_5"', page)
    assert "basi sejak" in page
    assert re.search(r'<div class="reading" data-reading="roof/air/pm2_5"', page)


def test_p5_a_replayed_station_says_so(city: City, reader: httpx.Client) -> None:
    assert "Putar ulang" not in reader.get("/environment").text
    city.heard("rsud", "roof", sensors=[Sensor(name="air", driver="replay", simulated=True)])
    assert "Putar ulang" in reader.get("/environment").text


def test_p5_a_doubtful_value_says_so(city: City, reader: httpx.Client) -> None:
    city.write("rsud", "roof", "humidity", [(city.now(), 180.0)], quality=Quality.FAIL)
    page = reader.get("/environment").text
    assert '<span class="flag failed">' in page
    assert '<span class="flag suspect">' not in page


def test_p4_what_was_put_aside_is_counted_and_listed(city: City, reader: httpx.Client) -> None:
    city.quarantine("rsud", "roof", "time_future", "2100-01-01 is ahead of the server", total=1234)
    page = reader.get("/fleet").text
    assert "waktu di masa depan" in page
    assert "1.234" in page
    assert "2100-01-01 is ahead of the server" in page


def test_titles_details_and_errors_of_others_are_only_text(city: City, reader: httpx.Client) -> None:
    city.add("evil", "evil", place=EVIL, title=EVIL)
    city.heard("evil", "evil", sensors=[Sensor(name="air", driver=EVIL, error=EVIL, since=1.0)])
    city.write("evil", "evil", "pm2_5", [(city.now(), 1.0)])
    city.quarantine("evil", "evil", "bad_body", EVIL)
    paths = ("/environment", "/environment/evil", "/fleet", "/environment/<script>alert(1)", f"/login?next=/{EVIL}")
    for path in paths:
        page = reader.get(path).text
        assert "<script>alert" not in page


def test_pages_allow_nothing_but_their_own_files(reader: httpx.Client) -> None:
    answer = reader.get("/environment")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_static_files_are_kept_for_ever_under_their_version(reader: httpx.Client) -> None:
    page = reader.get("/environment").text
    (address,) = re.findall(r'href="(/static/[0-9a-f]{12}/css/base\.css)"', page)
    answer = reader.get(address)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/css")
    old = reader.get(re.sub("[0-9a-f]{12}", "0" * 12, address))
    assert old.status_code == 200
    assert old.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["../pages.py", "..%2Fpages.py", "css", "none.css", "%2e%2e/i18n.py"])
def test_static_serves_nothing_but_its_files(reader: httpx.Client, path: str) -> None:
    assert reader.get(f"/static/x/{path}").status_code == 404


def test_the_language_is_a_choice_that_stays(reader: httpx.Client) -> None:
    assert '<html lang="id">' in reader.get("/fleet").text
    origin = {"Origin": str(reader.base_url).rstrip("/")}
    answer = reader.post("/preferences", data={"language": "en", "next": "/fleet"}, headers=origin)
    assert answer.headers["location"] == "/fleet"
    page = reader.get("/fleet").text
    assert '<html lang="en">' in page
    assert "Devices" in page
    reader.post("/preferences", data={"language": "xx", "theme": "dark"}, headers=origin)
    assert '<html lang="en" data-theme="dark">' in reader.get("/fleet").text


def test_an_unknown_station_is_told_as_a_page(reader: httpx.Client) -> None:
    answer = reader.get("/environment/none")
    assert answer.status_code == 404
    assert "Tidak ada apa-apa di sini" in answer.text


def test_the_start_leads_to_the_environment(reader: httpx.Client) -> None:
    assert reader.get("/").headers["location"] == "/environment"


def test_a_city_without_stations_says_how_to_add_one(tmp_path: Path) -> None:
    with closing(City(tmp_path)) as city:
        city.start()
        with httpx.Client(base_url=city.url, timeout=20) as client:
            sign_in(client, city.token)
            assert "python -m api device add" in client.get("/environment").text
            assert "Belum ada perangkat terdaftar" in client.get("/fleet").text


def test_values_that_cannot_be_read_are_told_as_a_page_and_not_as_none(city: City, reader: httpx.Client) -> None:
    nowhere = city.settings.data_dir / "none.db"
    away = SqliteSeriesStore(nowhere, raw_days=1, hourly_days=1, day_offset_ms=0, read_only=True)
    city.stop()
    city.start(away)
    answer = reader.get("/environment")
    assert answer.status_code == 503
    assert "Nilai tidak dapat dibaca saat ini" in answer.text

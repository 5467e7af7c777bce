"""The pages speak Indonesian wholly, and write numbers and times as their readers do."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest

from api.web.i18n import LANGUAGES, Speech, catalogue, script_messages
from tests.unit.api.web.extraction import WEB, messages

JAKARTA = ZoneInfo("Asia/Jakarta")
ID = Speech("id", JAKARTA)
EN = Speech("en", JAKARTA)
NOON = 1_488_258_300_000  # 2017-02-28 12:05 in Jakarta
PLACE = re.compile(r"%\((\w+)\)s")


def translated() -> dict[str, list[str]]:
    found = {}
    for message in catalogue("id"):
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        name = message.id[0] if isinstance(message.id, tuple) else message.id
        if name:
            found[name] = list(forms)
    return found


def test_every_message_of_the_pages_has_an_indonesian_translation() -> None:
    silent = {message for message in messages() if not all(translated().get(message, [""]))}
    assert silent == set()


def test_the_catalogue_translates_nothing_that_no_page_says() -> None:
    assert set(translated()) - set(messages()) == set()


def test_every_translation_fills_in_the_same_values() -> None:
    for message, forms in translated().items():
        for form in forms:
            assert set(PLACE.findall(form)) == set(PLACE.findall(message)), message


def test_every_call_in_a_script_is_seen_by_the_extraction() -> None:
    called = set()
    for script in (WEB / "static" / "js").glob("*.js"):
        called |= set(re.findall(r'\b_n?\("((?:[^"\\]|\\.)+)"', script.read_text("utf-8")))
    assert len(called) > 20
    assert called <= set(messages())


def test_scripts_are_given_every_message_that_they_say() -> None:
    said = {message for message, files in messages().items() if any(file.startswith("static/js/") for file in files)}
    assert said == set(script_messages("id"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_a_catalogue(language: str) -> None:
    assert catalogue(language).locale is not None


def test_numbers_have_the_decimals_that_carry_meaning_and_the_comma_of_the_language() -> None:
    assert ID.number(1234.56, 1) == "1.234,6"
    assert EN.number(1234.56, 1) == "1,234.6"
    assert ID.number(-0.04, 1) == "0,0"
    assert ID.number(713) == "713"


def test_only_what_is_complete_is_called_100_percent() -> None:
    assert ID.percent(0.9999) == "99%"
    assert ID.percent(1.0) == "100%"


@pytest.mark.parametrize(
    ("elapsed_ms", "indonesian", "english"),
    [
        (0, "baru saja", "just now"),
        (4_999, "baru saja", "just now"),
        (12_400, "12 dtk lalu", "12 s ago"),
        (59_999, "59 dtk lalu", "59 s ago"),
        (60_000, "1 mnt lalu", "1 min ago"),
        (3_600_000, "1 jam lalu", "1 h ago"),
        (86_399_999, "23 jam lalu", "23 h ago"),
        (86_400_000 * 40, "40 hari lalu", "40 d ago"),
        (-5_000, "baru saja", "just now"),
    ],
)
def test_an_age_is_told_in_the_largest_unit_that_fits(elapsed_ms: int, indonesian: str, english: str) -> None:
    assert ID.age(elapsed_ms) == indonesian
    assert EN.age(elapsed_ms) == english


def test_a_moment_names_its_date_unless_it_is_today_in_the_zone_of_the_city() -> None:
    assert ID.moment(NOON, NOON) == "12:05"
    assert ID.moment(NOON - 12 * 3_600_000, NOON) == "00:05"
    assert ID.moment(NOON - 13 * 3_600_000, NOON) == "27 Feb 23:05"
    assert ID.moment(NOON - 200 * 86_400_000, NOON) == "12 Agu 2016 12:05"
    assert EN.moment(NOON - 200 * 86_400_000, NOON) == "12 Aug 2016 12:05"


def test_a_plural_follows_the_language() -> None:
    assert EN.ngettext("%(count)s station", "%(count)s stations", 1) == "1 station"
    assert EN.ngettext("%(count)s station", "%(count)s stations", 1200) == "1,200 stations"
    assert ID.ngettext("%(count)s station", "%(count)s stations", 1200) == "1.200 stasiun"


def test_sizes_are_told_in_bytes_kilobytes_and_megabytes() -> None:
    assert ID.size(1_430_000) == "1,4 MB"
    assert ID.size(214) == "214 B"
    assert ID.size(2_140) == "2,1 kB"
    assert EN.size(65_536) == "66 kB"

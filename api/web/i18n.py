"""The languages of the pages: catalogues, and how numbers and times are written. `static/js/format.js` is the twin."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

LANGUAGES = MappingProxyType({"id": "id_ID", "en": "en_GB"})
"""Language of a page -> the locale that writes its numbers and dates; the first is the default."""

DEFAULT = next(iter(LANGUAGES))

LOCALES = Path(__file__).parent / "locale"

_SCRIPTS = "static/js/"

_JUST_NOW_MS = 5_000
_SECOND_MS = 1_000
_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000
_DAY_MS = 86_400_000


@functools.cache
def catalogue(language: str) -> Catalog:
    """The catalogue of a language in LANGUAGES, read from its .po file once."""
    with (LOCALES / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


@functools.cache
def script_messages(language: str) -> Mapping[str, str]:
    """What the scripts say: the translated messages whose location in the catalogue is a script."""
    return MappingProxyType(
        {
            str(_first(message.id)): str(_first(message.string))
            for message in catalogue(language)
            if _first(message.id)
            and _first(message.string)
            and any(place.startswith(_SCRIPTS) for place, _ in message.locations)
        }
    )


def _first(forms: object) -> object:
    """The one form of a message, or the first of a message with a plural."""
    return forms[0] if isinstance(forms, tuple | list) else forms


@dataclass(frozen=True, slots=True)
class Speech:
    """One language in one time zone.

    Attributes:
        language: a key of LANGUAGES.
        zone: the zone in which times are told.
    """

    language: str
    zone: ZoneInfo

    @property
    def locale(self) -> Locale:
        return Locale.parse(LANGUAGES[self.language])

    @property
    def tag(self) -> str:
        """The locale as browsers name it."""
        return LANGUAGES[self.language].replace("_", "-")

    def gettext(self, message: str, **values: str) -> str:
        """`message` in this language, or itself where there is no translation; `%(name)s` is filled in."""
        found = catalogue(self.language).get(message)
        text = found.string if found is not None and isinstance(found.string, str) and found.string else message
        return text % values if values else text

    def ngettext(self, one: str, many: str, count: float, **values: str) -> str:
        """`gettext` of `one` or `many`, as `count` asks for; `%(count)s` is the count itself."""
        found = catalogue(self.language).get(one)
        forms = found.string if found is not None and isinstance(found.string, tuple) and all(found.string) else ()
        text = forms[0] if len(forms) == 1 else one if count == 1 else many
        return text % {"count": self.number(count), **values}

    def number(self, value: float, decimals: int = 0) -> str:
        """A value with as many decimals as carry meaning."""
        rounded = round(value, decimals) + 0.0  # -0.04 is 0.0, not -0.0
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        return format_decimal(rounded, format=pattern, locale=self.locale)

    def percent(self, share: float) -> str:
        """A share of 1, rounded down, so that only what is complete is called 100 %."""
        return format_percent(int(share * 100 + 1e-9) / 100, locale=self.locale)  # 0.29 * 100 is 28.999999999999996

    def size(self, count: float) -> str:
        """A number of bytes, in B, kB or MB."""
        if count < 1_000:
            return f"{self.number(count, 0)} B"
        if count < 1_000_000:
            return f"{self.number(count / 1_000, 0 if count >= 10_000 else 1)} kB"
        return f"{self.number(count / 1_000_000, 1)} MB"

    def age(self, elapsed_ms: float) -> str:
        """How long ago, in the largest unit that fits, rounded down: '12 dtk lalu'."""
        _, count = self.gettext, self._count
        if elapsed_ms < _JUST_NOW_MS:
            return _("just now")
        if elapsed_ms < _MINUTE_MS:
            return _("%(count)s s ago", count=count(elapsed_ms, _SECOND_MS))
        if elapsed_ms < _HOUR_MS:
            return _("%(count)s min ago", count=count(elapsed_ms, _MINUTE_MS))
        if elapsed_ms < _DAY_MS:
            return _("%(count)s h ago", count=count(elapsed_ms, _HOUR_MS))
        return _("%(count)s d ago", count=count(elapsed_ms, _DAY_MS))

    def duration(self, elapsed_ms: float) -> str:
        """How long, in the largest unit that fits, rounded down: '3 jam'."""
        _, count = self.gettext, self._count
        if elapsed_ms < _MINUTE_MS:
            return _("%(count)s s", count=count(elapsed_ms, _SECOND_MS))
        if elapsed_ms < _HOUR_MS:
            return _("%(count)s min", count=count(elapsed_ms, _MINUTE_MS))
        if elapsed_ms < _DAY_MS:
            return _("%(count)s h", count=count(elapsed_ms, _HOUR_MS))
        return _("%(count)s d", count=count(elapsed_ms, _DAY_MS))

    def clock(self, at_ms: float) -> str:
        """The time of day with a colon in every language: '14.05' beside '14,05' would be misread."""
        return f"{self._local(at_ms):%H:%M}"

    def moment(self, at_ms: float, now_ms: float) -> str:
        """The time of day, with its date when that is not today: '12 Jan 14:05'."""
        at, now = self._local(at_ms), self._local(now_ms)
        if at.date() == now.date():
            return self.clock(at_ms)
        pattern = "d MMM" if at.year == now.year else "d MMM y"
        return f"{format_date(at.date(), pattern, locale=self.locale)} {self.clock(at_ms)}"

    def iso(self, at_ms: float) -> str:
        """RFC 3339 with the zone's offset, for the `datetime` attribute."""
        return self._local(at_ms).isoformat(timespec="seconds")

    def _local(self, at_ms: float) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, self.zone)

    def _count(self, elapsed_ms: float, unit_ms: int) -> str:
        return self.number(max(0, int(elapsed_ms)) // unit_ms)

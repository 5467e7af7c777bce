"""Where a page may lead, and where its files are."""

from __future__ import annotations

import re

import pytest

from api.web import assets, drawing
from tests.unit.api.web.extraction import WEB


@pytest.mark.parametrize("path", ["/", "/environment/roof?range=7d", "/fleet"])
def test_a_path_of_this_site_may_be_come_back_to(path: str) -> None:
    assert drawing.local_path(path) == path


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "",
        "fleet",
        "/a\r\nSet-Cookie: x=1",
    ],
)
def test_nobody_is_led_to_another_site(elsewhere: str) -> None:
    assert drawing.local_path(elsewhere) == "/"


def test_the_address_of_a_static_file_names_the_content_of_all() -> None:
    assert re.fullmatch(r"/static/[0-9a-f]{12}/icon\.svg", assets.url("icon.svg"))


def test_every_file_that_a_template_or_script_names_exists() -> None:
    for template in (WEB / "templates").glob("*.html"):
        for path in re.findall(r"static\('([^']+)'\)", template.read_text("utf-8")):
            assert (assets.STATIC / path).is_file(), path
    for script in (assets.STATIC / "js").glob("*.js"):
        for path in re.findall(r'from "\./([^"]+)"', script.read_text("utf-8")):
            assert (script.parent / path).is_file(), path


def test_every_vendored_library_has_its_licence_beside_it() -> None:
    libraries = list((assets.STATIC / "vendor").iterdir())
    assert libraries
    for library in libraries:
        assert "Permission is hereby granted" in (library / "LICENSE").read_text("utf-8")


def test_no_template_has_an_inline_script_style_or_handler() -> None:
    for template in (WEB / "templates").glob("*.html"):
        text = template.read_text("utf-8")
        assert not re.search(r"<style|\sstyle=|\son\w+=\"", text), template.name
        assert all('type="application/json"' in tag or "src=" in tag for tag in re.findall(r"<script[^>]*>", text))


def test_nothing_is_loaded_from_another_site() -> None:
    ours = [WEB / "templates", assets.STATIC / "js", assets.STATIC / "css"]
    for file in (file for folder in ours for file in folder.iterdir()):
        assert not re.search(r"https?://(?!www\.w3\.org/)", file.read_text("utf-8")), file.name

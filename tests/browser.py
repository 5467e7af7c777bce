"""A headless Chromium for tests, from Debian's packages chromium and chromium-driver; nothing is ever downloaded.

@pytest.mark.browser
def test_something(tmp_path: Path) -> None:
    with contextlib.closing(Browser(tmp_path)) as browser:
        browser.base = "http://127.0.0.1:…"
        browser.open("/environment")
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = ("chromium", "chromium-browser")
DRIVER = "chromedriver"
PATIENCE_S = 20
"""How long a page may take to become what is expected of it on a busy machine."""

FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-prefers-reduced-motion",
    "--hide-scrollbars",
)


def require() -> tuple[str, str]:
    """The paths of Chromium and its driver; skip, with a line that says so, where one is missing; fail there in CI."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    driver = shutil.which(DRIVER)
    if chromium is None or driver is None:
        why = "Chromium or its driver is not installed (apt install chromium chromium-driver)"
        if os.environ.get("CI"):
            pytest.fail(f"{why}, and in CI no test is skipped")
        pytest.skip(why)
    return chromium, driver


class Browser:
    """One window.

    Args:
        profile: an empty directory for the browser's own files.
    """

    def __init__(self, profile: Path, *, size: tuple[int, int] = (1280, 900)) -> None:
        chromium, driver = require()
        options = Options()
        options.binary_location = chromium
        flags = [*FLAGS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            flags.append("--no-sandbox")  # Chromium does not sandbox for root
        for flag in flags:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service(driver, log_output=str(profile / "driver.log"), env={**os.environ, "SE_AVOID_STATS": "true"})
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_page_load_timeout(60)
        self.driver.set_script_timeout(60)
        self.base = ""

    def open(self, path: str) -> None:
        """Go to a path of the server under `base`, and wait until it has loaded."""
        self.driver.get(self.base + path)

    def resize(self, width: int, height: int) -> None:
        """Make the page that wide and high: below 500 px no window goes, so the device is emulated."""
        self._devtools(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def prefer(self, scheme: str) -> None:
        """The reader's system prefers "light" or "dark"."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._devtools("Emulation.setEmulatedMedia", {"features": features})

    def find(self, selector: str) -> WebElement:
        """The first element that matches, as soon as there is one."""
        found: WebElement = self.until(lambda: next(iter(self.all(selector)), None), f"no element matches {selector}")
        return found

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """What a person reads there."""
        return self.find(selector).text

    def until(self, condition: Callable[[], Any], otherwise: str) -> Any:
        """The first true value of `condition`; an element that was replaced meanwhile is looked for again."""
        wait = WebDriverWait(self.driver, PATIENCE_S, 0.1, (StaleElementReferenceException,))
        return wait.until(lambda _: condition(), otherwise)

    def run(self, script: str, *arguments: Any) -> Any:
        """What the body of an asynchronous function returns in the page."""
        wrapped = (
            "const done = arguments[arguments.length - 1]; const given = [...arguments].slice(0, -1);"
            f"(async (...args) => {{ {script} }})(...given)"
            ".then((value) => done({value}), (error) => done({error: String(error)}))"
        )
        answer = self.driver.execute_async_script(wrapped, *arguments)
        assert "error" not in answer, answer
        return answer.get("value")

    def complaints(self) -> list[str]:
        """What the browser complained of since the last call: errors, refused scripts and styles."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]  # type: ignore[no-untyped-call]

    def close(self) -> None:
        self.driver.quit()

    def _devtools(self, command: str, arguments: dict[str, Any]) -> None:
        self.driver.execute_cdp_cmd(command, arguments)

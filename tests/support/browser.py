"""Debian's Chromium without a window, driven by its own driver: what a page looks like and says of itself."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUIET = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--force-device-scale-factor=1"),
)
_AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]}).then(
  found => done({violations: found.violations, passes: found.passes.length}),
  error => done({error: String(error)}));
"""


class Browser:
    """One browser; `driver` is selenium's."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path) -> None:
        """Opens a file and waits until it has been loaded."""
        self.driver.get(page.resolve().as_uri())

    def ask(self, script: str, *given: object) -> Any:
        """What a script of the test's own returns; it runs beside the page, which has none."""
        return self.driver.execute_script(script, *given)

    def dress(self, *, dark: bool = False, width: int = 1280, height: int = 900, print: bool = False) -> None:
        """Sets what the page is told of its reader: colours, the width of the screen, paper."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        medium = {"media": "print" if print else "", "features": [scheme]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", medium)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def shoot(self, path: Path, *, whole: bool = False) -> None:
        """A picture of what is seen, or of the whole page."""
        import base64

        found = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": whole} if whole else {})
        path.write_bytes(base64.b64decode(found["data"]))

    def requests(self) -> list[str]:
        """Every address that was asked for since the log was read last."""
        import json

        entries = [json.loads(each["message"])["message"] for each in self.driver.get_log("performance")]
        sent = [each["params"] for each in entries if each["method"] == "Network.requestWillBeSent"]
        return [str(each["request"]["url"]) for each in sent]

    def broken_rules(self) -> list[str]:
        """What axe-core, a checker of accessibility, finds wrong, with each place; colours included."""
        import axe_core_python

        source = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
        self.ask(source)
        self.driver.set_script_timeout(300)
        found = self.driver.execute_async_script(_AXE)
        assert "error" not in found, found
        assert found["passes"] > 10, "it looked at nothing"
        return [f"{each['id']}: {node['html'][:200]}" for each in found["violations"] for node in each["nodes"]]


@contextmanager
def browser(*, scripts: bool = True) -> Iterator[Browser]:
    """A new browser with a profile of its own, offline; without `scripts` it runs none."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("needs chromium and chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    with tempfile.TemporaryDirectory(prefix="bpfimg-browser-", ignore_cleanup_errors=True) as profile:
        for word in (*_QUIET, f"--user-data-dir={profile}"):
            options.add_argument(word)
        if not scripts:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        kept = {name: text for name, text in os.environ.items() if not name.startswith("XDG_")}
        driver = webdriver.Chrome(
            options=options,
            # it writes to the home of its user, too, whatever its profile
            service=Service(str(shutil.which("chromedriver")), env={**kept, "HOME": profile}),
        )
        try:
            driver.execute_cdp_cmd("Network.enable", {})
            nothing = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
            driver.execute_cdp_cmd("Network.emulateNetworkConditions", nothing)
            yield Browser(driver)
        finally:
            driver.quit()

"""The page of a host in a browser: it opens at once, asks nobody, reads in light and dark, and passes a checker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.inspect import page
from tests.support import inventories
from tests.support.browser import browser
from tests.support.inventories import ABOUT, FINDINGS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.browser import Browser

_DEAD = """
return [...document.querySelectorAll("a[href^='#']")].map(a => a.getAttribute("href").slice(1))
  .filter(id => !document.getElementById(id))
"""
_LOADED = """
const entry = performance.getEntriesByType("navigation")[0];
return [entry.loadEventEnd, performance.getEntriesByType("resource").length];
"""
_FOREIGN = """
const inert = new Set(`HTML HEAD META TITLE STYLE BODY A HEADER NAV MAIN FOOTER SECTION H1 H2 H3 H4 P UL LI DL DIV DT DD
  TABLE CAPTION SPAN THEAD TBODY TR TH TD DETAILS SUMMARY CODE PRE STRONG TIME FIGURE svg title desc defs marker path
  rect g text`.split(/\\s+/));
return [...document.querySelectorAll("*")].filter(e => !inert.has(e.tagName)
  || [...e.attributes].some(a => a.name.startsWith("on") || a.name === "style"
    || (["href", "src"].includes(a.name) && !a.value.startsWith("#"))))
  .map(e => e.outerHTML.slice(0, 200));
"""
_WIDE = "return document.documentElement.scrollWidth - window.innerWidth"
_ATTACK = """
const done = arguments[arguments.length - 1], refused = new Set();
document.addEventListener("securitypolicyviolation", event => refused.add(event.effectiveDirective));
const add = (name, given) => document.body.append(Object.assign(document.createElement(name), given));
add("script", {textContent: "window.ran = true"});
add("style", {textContent: "body { color: rgb(1, 2, 3) }"});
for (const name of ["img", "iframe"]) add(name, {src: "http://127.0.0.1:9/x"});
document.body.setAttribute("style", "background: rgb(1, 2, 3)");
fetch("http://127.0.0.1:9/x").catch(() => 0);
const form = Object.assign(document.createElement("form"), {action: "http://127.0.0.1:9/x", target: "_blank"});
document.body.append(form);
form.submit();
setTimeout(() => {
  const style = getComputedStyle(document.body), bad = "rgb(1, 2, 3)";
  done([[...refused].sort(), window.ran === true || style.color === bad || style.backgroundColor === bad]);
}, 300);
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Writes a page to a file of that name."""
    folder = tmp_path_factory.mktemp("pages")

    def write(name: str, text: str) -> Path:
        path: Path = folder / f"{name}.html"
        path.write_text(text, encoding="ascii")
        return path

    return write


@pytest.fixture(scope="module")
def large(written: Callable[[str, str], Path]) -> Path:
    """A host with 200 programs, 400 maps and 100 links."""
    return written("large", page.host(inventories.host(), FINDINGS, ABOUT))


def test_a_checker_of_accessibility_finds_nothing(chromium: Browser, large: Path) -> None:
    chromium.dress()
    chromium.open(large)
    assert chromium.broken_rules() == []


@pytest.mark.parametrize("dark", [False, True])
def test_nor_does_it_with_everything_open(chromium: Browser, written: Callable[[str, str], Path], dark: bool) -> None:
    path = written("small", page.host(inventories.host(20, 24, 24), FINDINGS, ABOUT))
    chromium.dress(dark=dark, width=360 if dark else 1280)
    chromium.open(path)
    chromium.ask("for (const each of document.querySelectorAll('details')) each.open = true")
    assert chromium.broken_rules() == []


def test_the_checker_sees_what_is_wrong(chromium: Browser, written: Callable[[str, str], Path]) -> None:
    text = page.host(inventories.host(4, 4, 4), FINDINGS, ABOUT)
    chromium.dress()
    chromium.open(written("broken", text.replace(' lang="en"', "").replace(' tabindex="0"', "")))
    chromium.ask("for (const each of document.querySelectorAll('dt')) each.style.color = '#bbb'")
    found = {each.partition(":")[0] for each in chromium.broken_rules()}
    assert {"html-has-lang", "color-contrast"} <= found


def test_two_hundred_programs_open_within_a_second(
    chromium: Browser,
    large: Path,
    written: Callable[[str, str], Path],
    record_property: Callable[[str, object], None],
) -> None:
    """By the browser's own clock; the best of a few, since others may be at work on this machine.

    Where it is so busy that a second is too short, as many bytes of plain text say how slow it is.
    """
    chromium.dress()

    def opened(page: Path) -> float:
        best = float("inf")
        for _ in range(6):
            chromium.open(page)
            best = min(best, chromium.ask(_LOADED)[0])
            if best < 1000:
                break
        return best

    size = large.stat().st_size
    time = opened(large)
    record_property("page of 200 programs", f"{time:.0f} ms, {size} bytes")
    if time >= 1000:
        line = "x" * 79 + "\n"
        plain = written("plain", f"<!DOCTYPE html><title>plain</title><pre>{line * (size // 80)}</pre>")
        assert time < 30 * opened(plain)


def test_thousands_of_programs_open(
    chromium: Browser, written: Callable[[str, str], Path], record_property: Callable[[str, object], None]
) -> None:
    path = written("huge", page.host(inventories.host(3000, 6000, 1500), FINDINGS, ABOUT))
    chromium.dress()
    chromium.open(path)
    time, _ = chromium.ask(_LOADED)
    record_property("page of 3000 programs", f"{time:.0f} ms, {path.stat().st_size} bytes")
    chromium.driver.get(f"{path.as_uri()}#p2999")
    top = chromium.ask("return document.getElementById('p2999').getBoundingClientRect().top")
    assert 0 <= top < 900, "a row behind a click is shown to those who follow a link to it"


def test_nobody_is_asked_for_anything(chromium: Browser, large: Path) -> None:
    for name in ("browser", "performance"):
        chromium.driver.get_log(name)
    chromium.open(large)
    assert chromium.ask(_LOADED)[1] == 0
    assert chromium.driver.get_log("browser") == [], "nothing that the page wanted was refused it"
    sent = [each for each in chromium.requests() if not each.startswith("data:")]
    assert sent == [large.as_uri()]


def test_the_policy_of_the_page_lets_nothing_in(chromium: Browser, large: Path) -> None:
    """As if somebody had found a way past the escaping."""
    chromium.open(large)
    refused, harmed = chromium.driver.execute_async_script(_ATTACK)
    wanted = {"script-src-elem", "style-src-elem", "style-src-attr", "img-src", "frame-src", "connect-src"}
    assert wanted | {"form-action"} <= set(refused)
    assert not harmed


def test_every_link_leads_to_its_row_and_all_words_are_there(chromium: Browser, large: Path) -> None:
    chromium.dress()
    chromium.open(large)
    assert chromium.ask(_DEAD) == []
    assert chromium.driver.title == "eBPF on edge-17.example"
    text = chromium.ask("return document.body.textContent")
    for words in ("program_200", "map_400", "registry.example/net/app-8:v1.8", "UNSIGNED", "sched/sched_switch/98"):
        assert words in text
    link = chromium.driver.find_element("css selector", "#network-1 a, section[aria-labelledby=network] tbody a")
    wanted = link.get_attribute("href").partition("#")[2]
    link.click()
    assert 0 <= chromium.ask("return document.getElementById(arguments[0]).getBoundingClientRect().top", wanted) < 900


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_only_tables_and_drawings_scroll_sideways(chromium: Browser, large: Path, width: int) -> None:
    chromium.dress(width=width, height=740)
    chromium.open(large)
    assert chromium.ask(_WIDE) <= 0


def test_a_keyboard_reaches_the_content_and_what_scrolls(chromium: Browser, large: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    chromium.dress(width=360, height=740)
    chromium.open(large)
    chromium.driver.find_element("tag name", "body").send_keys(Keys.TAB)
    skip = chromium.driver.switch_to.active_element
    assert skip.text == "Skip to the content"
    skip.send_keys(Keys.ENTER)
    assert chromium.driver.switch_to.active_element.get_attribute("id") == "main"
    reached: list[str] = []
    for _ in range(3):
        chromium.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(chromium.driver.switch_to.active_element.get_attribute("class"))
    assert "scroll" in reached


def test_on_paper_nothing_is_cut_off_and_ink_is_dark(chromium: Browser, large: Path) -> None:
    chromium.dress(dark=True, print=True)
    chromium.open(large)
    body = "return getComputedStyle(document.body)."
    assert chromium.ask(f"{body}backgroundColor") == "rgb(255, 255, 255)"
    assert chromium.ask("return getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
    assert chromium.ask("return getComputedStyle(document.querySelector('nav')).display") == "none"


def test_names_that_mean_harm_do_none(chromium: Browser, written: Callable[[str, str], Path]) -> None:
    path = written("hostile", page.host(inventories.hostile(), FINDINGS, ABOUT))
    chromium.dress()
    for name in ("browser", "performance"):
        chromium.driver.get_log(name)
    chromium.open(path)
    assert chromium.ask(_FOREIGN) == []
    assert chromium.ask(_DEAD) == []
    assert chromium.ask("return document.scripts.length + document.images.length + frames.length") == 0
    assert chromium.driver.get_log("browser") == []
    assert [each for each in chromium.requests() if not each.startswith("data:")] == [path.as_uri()]
    assert "<script>alert(1)</script>" in chromium.ask("return document.body.textContent")
    assert chromium.broken_rules() == []


def test_without_scripts_it_is_the_same_page(large: Path, chromium: Browser) -> None:
    with browser(scripts=False) as plain:
        plain.dress()
        plain.driver.get("data:text/html,<title>no</title><script>document.title='yes'</script>")
        assert plain.driver.title == "no", "this browser runs scripts after all"
        plain.open(large)
        found: Any = plain.driver.find_element("css selector", "section details summary")
        inside = plain.driver.find_element("css selector", "section details")
        before = inside.size["height"]
        found.click()
        assert inside.size["height"] > before, "what is behind a click opens without a script"
        text = plain.driver.find_element("id", "p200").text
    chromium.dress()
    chromium.open(large)
    assert chromium.driver.find_element("id", "p200").text == text
    assert "program_200" in text

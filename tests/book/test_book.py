"""`make book`: every page is there, every link leads somewhere, and who has no network can read and search it."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType

import pytest
from selenium.webdriver.support.ui import WebDriverWait

from bpfimg.cli._main import VERBS
from scripts.book._links import in_the_book, tables_of_contents
from scripts.book._rooms import ROOMS, restructured
from scripts.book._verbs import prose
from tests.support.browser import browser
from tests.support.html_pages import Page, is_elsewhere, pages, split

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def read(book: Path) -> dict[str, Page]:
    return pages(book)


def test_every_link_and_every_anchor_leads_somewhere(book: Path, read: dict[str, Page]) -> None:
    lost = []
    for name, page in read.items():
        for link in page.links + page.loads:
            path, anchor = split(link)
            if is_elsewhere(link) or not (path or anchor):
                continue
            target = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            if not (book / target).is_file() or (anchor and target in read and anchor not in read[target].anchors):
                lost.append(f"{name}: {link}")
    assert not lost
    assert sum(len(page.links) for page in read.values()) > 10_000


def test_every_page_is_led_to_by_another(read: dict[str, Page]) -> None:
    led = set()
    for name, page in read.items():
        targets = (os.path.normpath(os.path.join(os.path.dirname(name), split(link)[0])) for link in page.links)
        led |= {target for target in targets if target != name}
    assert read.keys() - led == {"index.html", "search.html"}


def test_nothing_is_fetched_from_elsewhere(read: dict[str, Page]) -> None:
    assert {load for page in read.values() for load in page.loads if is_elsewhere(load)} == set()


def test_every_page_of_the_repository_is_in_it(read: dict[str, Page]) -> None:
    for folder in ("docs", "spec", "examples"):
        for path in (ROOT / folder).rglob("*.md"):
            assert str(path.relative_to(ROOT).with_suffix(".html")) in read, path
    for name in ("README.html", "CHANGELOG.html", "CONTRIBUTING.html", "index.html", "search.html"):
        assert name in read


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_page(verb: str, read: dict[str, Page]) -> None:
    text = read[f"docs/verbs/{verb}.html"].text
    assert f"bpfimg {verb} [OPTIONS]" in text
    assert f"bpfimg {verb}" in text.partition("Examples")[2]


def test_options_stay_as_they_are_typed(read: dict[str, Page]) -> None:
    assert "(or by --key, or --certificate-identity)" in read["docs/verbs/run.html"].text


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_of_a_door_is_told(room: str, read: dict[str, Page]) -> None:
    anchors = read[f"docs/api/{room}.html"].anchors
    door = importlib.import_module(f"bpfimg.{room}")
    for name in getattr(door, "__all__", ()):
        each = getattr(door, name)
        module = isinstance(each, ModuleType)
        assert (f"{room}-{name}".replace("_", "-") if module else f"bpfimg.{room}.{name}") in anchors


def test_it_can_be_searched_where_it_lies(book: Path) -> None:
    with browser() as reader:
        reader.driver.get(f"{(book / 'search.html').as_uri()}?q=xdp-loader")
        wait = WebDriverWait(reader.driver, 60)
        wait.until(lambda driver: "ispatchers" in driver.find_element("id", "search-results").text)
        reader.open(book / "index.html")
        wait.until(lambda driver: driver.current_url.endswith("/docs/index.html"))
        assert reader.driver.title.startswith("bpfimg")


def test_nothing_of_the_place_is_in_a_page(book: Path) -> None:
    """Else two builds of the same sources would differ with the folder."""
    for path in book.rglob("*.html"):
        text = path.read_text()
        assert str(book.parent) not in text
        assert str(ROOT) not in text, path


def test_a_page_for_the_repository_becomes_one_of_the_book() -> None:
    page = "[a](../schemas/) [b](adr/#x) [c](running.md#d) [e](https://f/) <!-- book: - [V](v.md) -->\n"
    assert in_the_book(Path("docs/x.md"), page, ROOT) == (
        "[a](../docs/schemas/index.md) [b](adr/README.md#x) [c](running.md#d) [e](https://f/) - [V](v.md)\n"
    )


def test_lists_of_links_are_the_tables_of_contents() -> None:
    tables = tables_of_contents("# T\n\n## Use\n\n- [A](a.md): x\n- not a link\n\n\n\n## Other\n\n- [`B` c](b.md)\n")
    first = "\n```{toctree}\n:hidden:\n:caption: Use\n\nA <a.md>\n```\n"
    assert tables == first + "\n```{toctree}\n:hidden:\n:caption: Other\n\nB c <b.md>\n```\n"


def test_docstrings_and_help_texts_stay_what_they_say() -> None:
    assert list(restructured("One `x`s *two*\nthree\n\n    kept\n\n- a\n  b\n- c_")) == [
        "One ``x``\\ s \\*two\\* three", "", "::", "", "       kept", "", "- a b", "- c\\_", "",
    ]  # fmt: skip
    assert prose("a <b> `c_d` e_f") == "a \\<b\\> `c_d` e\\_f"

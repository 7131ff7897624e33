"""Pages as values make them: what is on them, and that no name gets out of its place."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis.strategies import text

from bpfimg.inspect import Inventory, page
from bpfimg.inspect._page._html import Html, elsewhere, escaped, markup, tag
from bpfimg.inspect._page._parts import STRANGERS, bounded, row, several
from bpfimg.inspect._page._style import digest, sheet
from bpfimg.inspect._svg import _COLOURS, style
from tests.support import inventories
from tests.support.html import inert, read
from tests.support.inventories import ABOUT, FINDINGS


def test_every_program_map_and_holder_is_on_the_page_and_every_link_leads_somewhere() -> None:
    inventory = inventories.host(40, 60, 32)
    found = inert(page.host(inventory, FINDINGS, ABOUT))
    ids = found.ids
    assert len(ids) == len(set(ids))
    assert {f"p{view.id}" for view in inventory.programs} <= set(ids)
    assert {f"m{view.id}" for view in inventory.maps} <= set(ids)
    assert [name for name in found.attributes("href") if name[1:] not in ids] == []
    labels = found.attributes("aria-labelledby") + found.attributes("aria-describedby")
    assert [name for name in labels if name not in ids] == []
    for words in ("edge-17.example", "bpfimg: app-8", "agent (3)", "UNSIGNED", "stale: XDP was taken off"):
        assert words in found.words
    for finding in FINDINGS:
        assert finding.what in found.words
    assert inventory.unseen[0] in found.words


def test_the_same_values_give_the_same_page() -> None:
    assert page.host(inventories.host(), FINDINGS, ABOUT) == page.host(inventories.host(), FINDINGS, ABOUT)


def test_a_host_without_anything_has_a_page() -> None:
    found = inert(page.host(Inventory((), (), (), ()), (), ABOUT))
    assert "Nothing is wrong." in found.words
    assert "There is no eBPF program in sight." in found.words


def test_no_name_gets_out_of_its_place() -> None:
    found = inert(page.host(inventories.hostile(), FINDINGS, ABOUT))
    assert "<script>alert(1)</script>" in found.words
    assert "[1b][31m" in found.words
    assert "[202e]" in found.words
    assert "n" * 1500 not in found.words, "names are cut"
    assert all(not name.startswith("http") for name in found.attributes("href")), "a host's page leads nowhere else"


def test_headings_are_in_order_and_tables_say_what_they_are() -> None:
    found = read(page.host(inventories.host(40, 60, 32), FINDINGS, ABOUT))
    levels = [int(name[1]) for name, _ in found.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    names = [name for name, _ in found.elements]
    assert names.count("table") == names.count("caption")
    assert all("scope" in attributes for name, attributes in found.elements if name == "th")
    assert {"header", "nav", "main", "footer"} <= set(names)


def test_what_an_image_says_is_bounded() -> None:
    """Labels, sections and names come from strangers, by the hundred thousand if they like."""
    rows = bounded("t", "caption", ("A",), (row(str(number)) for number in range(100_000)))
    assert len(read(rows).elements) < 5 * STRANGERS
    assert f"There are more than {STRANGERS}" in read(rows).words
    assert len(several([str(number) for number in range(100_000)], what="names")) < 10_000


@given(text())
def test_no_text_is_markup(words: str) -> None:
    found = read(tag("p", words, title=words))
    assert [name for name, _ in found.elements] == ["p"]
    assert found.other == []


def test_a_long_table_is_in_pieces_and_nothing_is_lost() -> None:
    inventory = inventories.host(1600, 0, 0)
    found = inert(page.host(inventory, (), ABOUT))
    assert {f"p{view.id}" for view in inventory.programs} <= set(found.ids)
    assert "501 to 1000 of 1600" in found.words


def test_only_the_style_of_the_page_may_be_there() -> None:
    text = page.host(inventories.host(4, 4, 4), (), ABOUT)
    (inside,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    assert inside == sheet()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy.replace("&#39;", "'").startswith(f"default-src 'none'; style-src '{digest(inside)}'")
    assert "url(" not in inside
    assert "@import" not in inside


@pytest.mark.parametrize("text", inventories.HOSTILE)
def test_markup_takes_text_for_text(text: str) -> None:
    assert not {"<", ">", '"', "'"} & set(escaped(text))
    assert "".join(read(tag("p", text, id=text)).text) == "".join(
        letter if letter.isprintable() else f"[{ord(letter):x}]" for letter in text
    )
    assert markup(tag("p", text)) == tag("p", text)
    assert tag("p", [text, Html("<br/>")]).endswith("<br/></p>")


@pytest.mark.parametrize(
    "address", ["https://example.org/a?b=c&d#e", "http://localhost:5000", "https://xn--bcher-kva.example/%20"]
)
def test_an_address_of_the_web_is_a_link(address: str) -> None:
    ((name, attributes),) = read(elsewhere(address)).elements
    assert (name, attributes["href"], attributes["rel"]) == ("a", address, "noreferrer noopener nofollow")


@pytest.mark.parametrize(
    "address",
    [
        *(
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " https://a.example",
            "https://a.example/ b",
            "data:text/html,x",
        ),
        *("https://user:secret@a.example/", "https://", "https://a.example\n", "//a.example", "ftp://a.example"),
        *("https://-a.example", "https://a.example\\@b", "https://\N{CYRILLIC SMALL LETTER A}.example", "file:///etc"),
        f"https://a.example/{'a' * 3000}",
    ],
)
def test_anything_else_is_text(address: str) -> None:
    assert read(elsewhere(address)).elements == []


def luminance(colour: str) -> float:
    """As WCAG 2 has it."""
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(2 * each for each in digits)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("kind", _COLOURS)
@pytest.mark.parametrize("dark", [False, True])
def test_what_is_drawn_can_be_read_and_seen(kind: str, dark: bool) -> None:
    """Text 4.5, lines and borders 3 (WCAG 2.2, 1.4.3 and 1.4.11): a checker of pages does not look into drawings."""
    light_rules, _, dark_rules = style().partition("@media")
    rules = dict(re.findall(r"(\.\w+)\{([^{}]*)\}", dark_rules if dark else light_rules))

    def colour(name: str, what: str = "fill") -> str:
        return next(rule.partition(":")[2] for rule in rules[name].split(";") if rule.startswith(f"{what}:"))

    fill, stroke = colour(f".{kind}"), colour(f".{kind}", "stroke")
    assert contrast(colour(".t"), fill) >= 4.5
    assert contrast(colour(".s"), fill) >= 4.5
    assert contrast(stroke, colour(".bg")) >= 3
    assert contrast(colour(".m"), colour(".bg")) >= 3
    assert contrast(colour(".e", "stroke"), colour(".bg")) >= 3
    assert contrast(colour(".l"), colour(".bg")) >= 4.5

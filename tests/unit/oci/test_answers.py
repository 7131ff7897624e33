"""What registries say beside the content: to people, and where a list goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from bpfimg.oci import places
from bpfimg.oci._http._answers import warnings
from bpfimg.oci._http._pages import next_page
from bpfimg.oci._http._patience import Patience


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('299 - "this repository goes away"', ["'this repository goes away'"]),
        ('299 - "with a \\"word\\" in it"', ["'with a \"word\" in it'"]),
        ('299 - "\x1b[31mred"', ["'\\x1b[31mred'"]),
        ('199 - "not for people"', []),
        ('299 somebody "else"', []),
        ("299 - bare", []),
        ('299 - "', []),
        ("", []),
    ],
)
def test_a_warning_is_what_stands_in_its_quotes(line: str, said: list[str]) -> None:
    assert list(warnings([line])) == said


def test_warnings_are_few_and_short() -> None:
    found = list(warnings(['299 - "' + "x" * 4000 + '"'] * 100))
    assert len(found) == 8
    assert max(map(len, found)) < 420


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ('</v2/a?last=b&n=1>; rel="next"', "/v2/a?last=b&n=1"),
        ("</v2/a>;rel=next", "/v2/a"),
        ('</v2/a>; title="x, <y>; z"; rel="prev next"', "/v2/a"),
        ('</v2/a>; rel="prev", </v2/b>; rel="next"', "/v2/b"),
        ('</v2/a>; REL="Next"', "/v2/a"),
        ('<https://other.test/x>; rel="next"', "https://other.test/x"),
        ('</v2/a>; rel="nextish"', None),
        ("</v2/a>", None),
        ('/v2/a; rel="next"', None),
        ("", None),
        ("<" * 10_000, None),
        ("<a>;" + " ;" * 4_000, None),
    ],
)
def test_where_a_list_goes_on(link: str, target: str | None) -> None:
    assert next_page(link) == target


class TestPatience:
    def test_so_many_tries(self) -> None:
        said: list[str] = []
        patience = Patience(places.RegistryOptions(waits=(0.0, 0.0), warn=said.append))
        assert [patience.wait("busy") for _ in range(4)] == [True, True, False, False]
        assert said == ["busy; trying again in 0.0 s"] * 2

    def test_progress_by_the_mebibyte_is_rewarded(self) -> None:
        patience = Patience(places.RegistryOptions(waits=(0.0,)))
        assert patience.wait("cut")
        patience.progress((1 << 20) - 1)
        assert not patience.wait("cut")
        patience.progress(1)
        assert patience.wait("cut")

    @pytest.mark.parametrize("later", ["0", " 0 ", format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)])
    def test_the_server_may_say_when(self, later: str) -> None:
        assert Patience(places.RegistryOptions(waits=(100.0,))).wait("busy", later)

    @pytest.mark.parametrize("later", ["31", "9" * 400, format_datetime(datetime.now(UTC) + timedelta(days=1))])
    def test_but_not_in_an_hour(self, later: str) -> None:
        assert not Patience(places.RegistryOptions(waits=(0.0,))).wait("busy", later)

    @pytest.mark.parametrize("later", ["", "soon", "-1", "Wed, 99 Foo 9999 99:99:99 GMT", "\u0663"])
    def test_what_is_no_time_is_not_obeyed(self, later: str) -> None:
        assert Patience(places.RegistryOptions(waits=(0.0,))).wait("busy", later)

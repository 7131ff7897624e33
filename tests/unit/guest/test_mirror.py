"""Where apt has Debian from, in both forms of sources.list(5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import UsageError
from bpfimg.guest._mirror import Mirror, given, mirror, sources

if TYPE_CHECKING:
    from pathlib import Path

KEY = "/usr/share/keyrings/one.gpg"
STANZA = f"""\
# Types: deb-src
Types: deb deb-src
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /other.gpg

Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: {KEY}
"""
FOUND = Mirror("http://mirror.example/debian", KEY)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.sources", STANZA, FOUND),
        ("a.sources", STANZA.replace("Types: deb\n", "Types: deb-src\n"), None),
        ("a.sources", STANZA.replace(f"Signed-By: {KEY}", f"Enabled: no\nSigned-By: {KEY}"), None),
        ("a.sources", STANZA.replace("bookworm bookworm-updates", "noble noble-updates"), None),
        ("a.list", f"deb [arch=amd64 signed-by={KEY}] http://mirror.example/debian trixie main # ours\n", FOUND),
        ("a.list", f"#deb [signed-by={KEY}] http://mirror.example/debian trixie main\n", None),
        ("a.list", f"deb [signed-by={KEY}] http://mirror.example/debian stable-security main\n", None),
        ("a.list", f"deb-src [signed-by={KEY}] http://mirror.example/debian stable main\n", None),
        ("a.list", f"deb [signed-by={KEY}] ./local stable main\n", None),
        ("a.list", "deb http://mirror.example/ubuntu noble main\n", None),
    ],
)
def test_the_archive_is_found_with_its_keys(name: str, text: str, found: Mirror | None) -> None:
    assert mirror({"other.list": "deb http://else.example/ x main", name: text}) == found


def test_without_a_key_of_its_own_it_is_debians() -> None:
    key = "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBGPL\n"
    for name, text in (
        ("a.list", "deb http://mirror.example/debian stable main\n"),
        ("a.sources", STANZA.replace(f"Signed-By: {KEY}\n", key)),
    ):
        found = mirror({name: text})
        assert found is not None
        assert found.keyring.endswith("debian-archive-keyring.gpg")


def test_files_are_read_in_apts_order(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    for name in ("sources.list.d/b.sources", "sources.list.d/a.list", "sources.list.d/c.save", "sources.list"):
        (tmp_path / name).write_text(name)
    assert [path.removeprefix(f"{tmp_path}/") for path in sources(str(tmp_path))] == [
        "sources.list",
        "sources.list.d/a.list",
        "sources.list.d/b.sources",
    ]
    assert sources(str(tmp_path / "none")) == {}


@pytest.mark.parametrize("address", ["x", "http://a b", "http://a] evil [", "http://a\ndeb http://b", ""])
def test_a_mirror_that_is_given_is_one_address(address: str) -> None:
    with pytest.raises(UsageError, match="expected the address"):
        given(address)

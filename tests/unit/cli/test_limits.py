"""`--limit`: names and sizes of bounds."""

from __future__ import annotations

import pytest

from bpfimg.cli._limits import parse
from bpfimg.errors import UsageError
from bpfimg.oci import places


def test_nothing_given_is_the_default() -> None:
    assert parse(()) == places.Limits()


@pytest.mark.parametrize(
    ("word", "name", "value"),
    [
        ("referrers=200", "referrers", 200),
        ("index-entries=300", "index_entries", 300),
        ("document=8MiB", "document", 8 << 20),
        ("document=8m", "document", 8 << 20),
        ("document=8MB", "document", 8 << 20),
        ("copy=20GiB", "copy", 20 << 30),
        ("copy=2TiB", "copy", 2 << 40),
        ("blob=512 KiB", "blob", -1),
        ("blob=512KiB", "blob", 512 << 10),
        (" blob = 1b ", "blob", 1),
        ("copy=0", "copy", 0),
    ],
)
def test_a_size_may_have_a_unit(word: str, name: str, value: int) -> None:
    if value < 0:
        with pytest.raises(UsageError):
            parse((word,))
    else:
        assert getattr(parse((word,)), name) == value


def test_the_last_word_wins() -> None:
    assert parse(("blob=1", "referrers=3", "blob=2")).blob == 2


@pytest.mark.parametrize("word", ["blob", "blob=", "blob=-1", "blob=1.5GiB", "blob=1e9", "blob=x", "blob=9" + "9" * 40])
def test_what_is_no_size(word: str) -> None:
    with pytest.raises(UsageError, match="expected NAME=VALUE"):
        parse((word,))


def test_a_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(UsageError, match="no limit 'blobs', expected one of document, ") as caught:
        parse(("blobs=1",))
    assert "blob=64MiB" in caught.value.hint

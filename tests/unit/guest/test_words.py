"""What people call kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import UsageError
from bpfimg.guest._words import Suite, meant, split

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("word", "suite"),
    [
        ("6.1", "bookworm"),
        ("12", "bookworm"),
        ("bookworm", "bookworm"),
        ("debian:12", "bookworm"),
        ("debian:bookworm", "bookworm"),
        ("6.12", "trixie"),
        ("debian:13", "trixie"),
        ("sid", "sid"),
        ("unstable", "sid"),
        ("bookworm-backports", "bookworm-backports"),
        ("debian:13-backports", "trixie-backports"),
    ],
)
def test_a_release_of_debian_has_several_names(word: str, suite: str) -> None:
    assert meant(word) == Suite(suite)


@pytest.mark.parametrize("word", ["6.6", "sid-backports", "6.1-backports", "debian:11", "debian:", "Bookworm", "/no/k"])
def test_what_is_no_kernel_is_answered_with_the_words(word: str) -> None:
    with pytest.raises(UsageError, match=f"no kernel '{word}'") as caught:
        meant(word)
    assert "6.1, 6.12, bookworm" in caught.value.hint


def test_a_path_is_taken_where_it_is_no_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("bookworm", "mine", "debian:11"):
        (tmp_path / name).touch()
    assert meant("mine") == "mine"
    assert meant("bookworm") == Suite("bookworm")
    assert meant("./bookworm") == "./bookworm"
    with pytest.raises(UsageError):
        meant("debian:mine")


def test_commas_part_words_but_not_the_name_of_a_file(tmp_path: Path) -> None:
    odd = tmp_path / "a,b"
    odd.touch()
    assert split(["6.1,6.12", "sid", str(odd), "6.1"]) == ["6.1", "6.12", "sid", str(odd)]
    for given in ([], [""], ["6.1,"]):
        with pytest.raises(UsageError, match="empty word"):
            split(given)

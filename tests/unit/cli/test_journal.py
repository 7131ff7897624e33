"""The journal of a long copy: what it says is on disk, and what is torn, strange or another's does no harm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bpfimg.cli._copy_lines import Job
from bpfimg.cli._journal import Journal
from bpfimg.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS: dict[str, object] = {"platforms": [], "flatten": False}
JOBS = [Job(number, f"registry.test/a:v{number}", f"mirror.test/a:v{number}") for number in range(1, 4)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.journal"


def filled(path: Path) -> Path:
    with Journal(str(path), SETTINGS) as journal:
        journal.add([(JOBS[0], "sha256:1"), (JOBS[1], "sha256:2")])
    return path


def test_what_was_done_is_known_again(path: Path) -> None:
    with Journal(str(filled(path)), SETTINGS) as journal:
        assert journal.done == {JOBS[0].key: "sha256:1", JOBS[1].key: "sha256:2"}
        journal.add([(JOBS[2], "sha256:3")])
        journal.add([])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [sorted(line) for line in lines[1:]] == [["destination", "digest", "source", "time"]] * 3
    assert lines[1]["time"].endswith("Z")


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_last_line_does_not_count(cut: int, path: Path) -> None:
    whole = filled(path).read_bytes()
    path.write_bytes(whole[:-cut])
    with Journal(str(path), SETTINGS) as journal:
        assert journal.done == {JOBS[0].key: "sha256:1"}
        journal.add([(JOBS[1], "sha256:2")])
    assert path.read_bytes().count(b"\n") == 3
    with Journal(str(path), SETTINGS) as journal:
        assert len(journal.done) == 2


@pytest.mark.parametrize("cut", [0, 1, 10, 25, 40])
def test_a_torn_first_line_is_begun_anew(cut: int, path: Path) -> None:
    with Journal(str(path), SETTINGS):
        pass
    path.write_bytes(path.read_bytes()[:cut])
    with Journal(str(path), SETTINGS) as journal:
        assert journal.done == {}
    assert len(filled(path).read_text().splitlines()) == 3


def test_a_line_of_junk_is_passed_over(path: Path) -> None:
    with filled(path).open("ab") as file:
        file.write(b"\0\0\0\0\n[1]\n")
    with Journal(str(path), SETTINGS) as journal:
        assert len(journal.done) == 2


@pytest.mark.parametrize("content", [b"my diary\n", b"my diary", b"{}\n", b'{"a":1}\nx\n', b"\n\n"])
def test_what_is_no_journal_is_left_alone(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(UsageError, match="no journal of this command"):
        Journal(str(path), SETTINGS)
    assert path.read_bytes() == content


def test_other_options_are_another_copy(path: Path) -> None:
    with pytest.raises(UsageError, match="begun with other options: flatten"):
        Journal(str(filled(path)), {**SETTINGS, "flatten": True})
    assert len(path.read_text().splitlines()) == 3


def test_one_at_a_time(path: Path) -> None:
    with Journal(str(path), SETTINGS), pytest.raises(UsageError, match="in use"):
        Journal(str(path), SETTINGS)
    Journal(str(path), SETTINGS).close()


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written") as caught:
        Journal(str(tmp_path / "none" / "journal"), SETTINGS)
    assert "--no-journal" in caught.value.hint
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="cannot be written"):
        Journal(str(tmp_path / "link"), SETTINGS)


def test_done_it_goes_away(path: Path) -> None:
    with Journal(str(path), SETTINGS) as journal:
        journal.remove()
    assert not path.exists()

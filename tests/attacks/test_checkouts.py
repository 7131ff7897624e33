"""Repositories that somebody made for a pipeline: links in it lead reports nowhere, and nothing in it is waited for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg.cli import _report_files
from bpfimg.cli._checkout import Checkout
from bpfimg.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_report_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for name, target in (("link", "mine"), ("dangling", "gone")):
        (tmp_path / name).symlink_to(target)
        with pytest.raises(UsageError, match="is no file"):
            _report_files.write((("json", str(tmp_path / name)),), lambda form: "{}")
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "gone").exists()


def test_a_report_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("before")

    def render(form: str) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _report_files.write((("json", str(tmp_path / "report")),), render)
    assert (tmp_path / "report").read_text() == "before"


def test_a_report_may_go_to_a_pipe() -> None:
    inside, outside = os.pipe()
    _report_files.write((("json", f"/dev/fd/{outside}"),), lambda form: "{}")
    os.close(outside)
    assert os.read(inside, 100) == b"{}"
    os.close(inside)


def test_sources_that_are_no_files_are_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    os.mkfifo(tmp_path / "src/pipe.bpf.c")
    (tmp_path / "src/link.bpf.c").symlink_to("pipe.bpf.c")
    (tmp_path / "src/zero.bpf.c").symlink_to("/dev/zero")
    found = Checkout(str(tmp_path), str(tmp_path))
    for name in ("pipe", "link", "zero"):
        assert found.place(f"{name}.bpf.c", 1, "int x;") == ""
        assert found.place(f"/build/src/{name}.bpf.c", 1, "int x;") == ""

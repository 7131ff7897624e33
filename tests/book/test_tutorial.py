"""`docs/tutorial.md`, word by word, on a machine of its own; tests/packaging does the same in an empty Debian, with its
first box, which installs the wheel.

`BPFIMG_WRITE_README=1` writes today's output into the page instead of comparing.
"""

from __future__ import annotations

import pytest

from tests.support.machines import machine
from tests.support.pages import BOX, DOCS
from tests.support.replay import replay

pytestmark = pytest.mark.kernel
PAGE = DOCS / "tutorial.md"
INSTALLING = next(text for kind, text in BOX.findall(PAGE.read_text()) if kind == "sh")


def test_it_works_word_by_word() -> None:
    with machine() as host:
        replay(PAGE, host.types, lambda script: script == INSTALLING or host.does(script))
        assert host.does("ls /sys/fs/bpf/bpfimg /run/netns") == "/run/netns:\n\n/sys/fs/bpf/bpfimg:\n"


def test_its_first_box_is_what_installs() -> None:
    assert INSTALLING.startswith("apt-get update\n")
    assert "pipx install ./bpfimg-" in INSTALLING

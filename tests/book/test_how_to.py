"""`docs/how-to/*.md`, typed line by line on a machine of their own each: what their boxes show is what is printed.

`BPFIMG_WRITE_README=1` writes today's output into the pages instead of comparing. The part that only other kernels can
do is typed in guests, by tests/kernel/dispatcher/test_xdp_loader_page.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.following import EXACT, FREPLACE, reader
from tests.support.netns import skip_unless
from tests.support.pages import DOCS
from tests.support.replay import replay

if TYPE_CHECKING:
    from tests.support.following import Reader

pytestmark = pytest.mark.kernel
#: page -> what has to be there before
PAGES = {
    "air-gap": "registry",
    "ci": "registry",
    "containers-and-namespaces": "",
    "debug-a-refusal": "",
    "from-bpfman": "",
    "from-inspektor-gadget": "",
    "from-ip-and-tc": "",
    "from-xdp-loader": "xdp_tools",
    "keys-and-policy": "",
    "many-programs": "",
    "maps-between-apps": "",
    "start-a-project": "",
    "report": "",
    "shell": "",
}


@pytest.mark.parametrize("page", PAGES)
def test_every_command_prints_what_the_page_says(page: str) -> None:
    skip_unless("xdp", "tcx")
    with reader() as person:
        if PAGES[page]:
            getattr(person, PAGES[page])()
        replay(
            DOCS / "how-to" / f"{page}.md",
            person.types,
            person.does,
            wanted=lambda heading: heading != FREPLACE,
            exact=EXACT,
        )
        _nothing_is_left(person)


def _nothing_is_left(person: Reader) -> None:
    assert person.does("bpfimg list -q") == ""
    assert person.does("find /sys/fs/bpf/bpfimg -mindepth 1 2>/dev/null || true") == ""

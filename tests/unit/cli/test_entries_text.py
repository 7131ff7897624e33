"""Programs as text are the text of their entries, whatever is in them."""

from __future__ import annotations

import json

from bpfimg._value import replace
from bpfimg.cli._entries import program_entries
from bpfimg.cli._entries_text import programs_text
from bpfimg.inspect import Inventory, LinkView, MapView, ProgramView
from bpfimg.kernel import bpf

NAME = 'a "name"\n100% ü %s {} \\'
INFO = bpf.ProgramInfo(7, 6, "x", "00112233445566ff", True, 10**9, 0, (3, 4), 5, 60, 70, 8, 9, 10, 0, 0, 4096, 0)
OLD = replace(INFO, gpl=False, map_ids=(), verified_insns=None, run_time=None, run_count=None, recursion_misses=None)
OTHERS = ProgramView(7, NAME, "xdp", INFO, None, None, "", ("/a pin", NAME), "", NAME)
PROGRAMS = (
    OTHERS,
    replace(OTHERS, id=8, info=OLD, held_by=(), target=""),
    replace(OTHERS, id=9, type="type 99", name=""),
    replace(OTHERS, id=10, info=None),
    replace(OTHERS, id=11, load=3, pin="/ours", damage=NAME),
)
LINK = LinkView(None, 20, 7, "raw_tracepoint", "link", NAME, "attached", type="raw_tracepoint")
LINKS = (
    LINK,
    replace(LINK, kernel_id=21, details={"cookie": 5, "mode": "native", NAME: (1, 2)}, held_by=("x (1)", NAME)),
    replace(LINK, program_id=8, kernel_id=None, hook="tc", how="clsact", interface=NAME, ifindex=2, priority=0),
    replace(LINK, program_id=8, state="stale", reason=NAME, direction="ingress", netns="/n", netns_inode=6, position=1),
    replace(LINK, program_id=9, moved=True, part_ids=(22, 23)),
    replace(LINK, program_id=11, id=1, load=3, pin="/ours/link"),
)
MAP = MapView(3, NAME, "array", 4, 8, 1, 0, 4096, False, (7,), held_by=(NAME,))
MAPS = (MAP, replace(MAP, id=4, memlock=None, frozen=None, btf_id=9, held_by=()))


def test_the_text_is_that_of_the_entries() -> None:
    inventory = Inventory(PROGRAMS, LINKS, MAPS, ())
    for views in (PROGRAMS, PROGRAMS[::-1] * 20, ()):
        assert "".join(programs_text(inventory, views)) == json.dumps({"programs": program_entries(inventory, views)})

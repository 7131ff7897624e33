"""Records that somebody else wrote, who could: they stop no writer, and take off nothing that is not theirs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from bpfimg.kernel import bpffs as store
from bpfimg.load import Host, hooks
from tests.support import loads
from tests.support.netns import bpffs, namespace, skip_unless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel

CLSACT = {"how": "clsact", "clsact": {"priority": 50}}


@pytest.fixture
def ns() -> Iterator[Namespace]:
    skip_unless("bpffs", "btf", "xdp")
    with namespace() as found:
        yield found


@pytest.mark.parametrize(
    "forged",
    [
        {"hook": {"kind": "cgroup", "path": "/sys/fs/cgroup"}, "how": "attach"},
        {"hook": {"kind": "xdp", "interface": "lo", "netns": "/etc/passwd", "netns_inode": 1}, "how": "other"},
        {"hook": {"kind": "uprobe", "target": "/x", "container_pid": "1"}, "how": "attach"},
        {"hook": {"kind": "tc", "interface": "lo", "ifindex": 1}, **CLSACT},
        {"hook": {"kind": "sk_msg", "map": "1"}, "how": "attach", "details": {"map_id": "1", "attach_type": []}},
        {"hook": {"kind": "tc", "interface": "lo"}, **CLSACT, "replaces": [1, 2, 3]},
        {"hook": {"kind": "tc"}},
    ],
)
def test_a_forged_record_in_what_is_to_be_swept(ns: Namespace, forged: dict[str, object]) -> None:
    with bpffs() as mount:
        host = Host(mount, tc="clsact", lock_timeout=5)
        running = loads.run(host, loads.tc(), hooks.Tc(ns.interface, "ingress", netns=ns.name))
        (link,) = running.links
        folder = f"{host.directory}/tmp-1-forged"
        for path in (folder, f"{folder}/links", f"{folder}/links/77"):
            store.make_directory(path)
        program = {"id": link.program_id, "name": "x"}
        document = {"version": 1, "program": program, "how": "link", "where": "", "created": "", **forged}
        store.write_record(f"{folder}/links/77/record", json.dumps(document))
        host.unfinished()
        with host.writer():
            pass
        assert not os.path.exists(folder)
        assert host.has_filter(link)
        with host.writer() as writer:
            writer.unload(running.id)

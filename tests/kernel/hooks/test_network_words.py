"""The hooks of network and control groups from the command line to the kernel and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Cli
from tests.support.features import native, needs
from tests.support.netns import bpffs
from tests.support.objects import example as compiled

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cgroups import Cgroup
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, native("each command starts in seconds there")]

_POLICY = {"version": 1, "default": "deny", "rules": [], "localFiles": "insecure-allow-unsigned"}
#: feature, example, words behind REF, where `links` says that it is
_WORDS = [
    ("xdp", "xdp_frags_counter", "xdp -i {veth} --mode native", "{veth}"),
    ("bpffs", "tc_counter", "tc -i {veth} -d ingress -p 7 --proceed-on ok,pipe", "{veth} ingress"),
    ("tcx", "tc_counter", "tcx -i {veth} -d egress -p 7", "{veth} egress"),
    ("netfilter", "netfilter_counter", "netfilter --hook input -p mangle+5", "ipv4 input priority -145 in netns {ns}"),
    ("sk-lookup", "sk_lookup_counter", "sk_lookup", "netns {ns}"),
    ("flow-dissector", "flow_dissector_counter", "flow_dissector", "netns {ns}"),
    ("sockmap-link", "sk_msg_counter", "sk_msg --map sockets", "map sockets (id "),
    ("sockmap-link", "sk_skb_counter", "sk_skb --map sockets", "map sockets (id "),
    ("cgroup-link", "cgroup_skb_counter", "cgroup {group} --attach-type egress", "{mount}/{group} inet_egress"),
    ("cgroup-link", "cgroup_connect_guard", "cgroup {group} --attach-type connect4", "{mount}/{group} inet4_connect"),
    ("cgroup-link", "sockops_counter", "cgroup {group}", "{mount}/{group} sock_ops"),
]


@pytest.mark.parametrize(
    ("feature", "example", "words", "where"), _WORDS, ids=[f"{row[2].split()[0]}-{row[1]}" for row in _WORDS]
)
def test_run_links_detach_attach_unload(  # noqa: PLR0917
    feature: str, example: str, words: str, where: str, tmp_path: Path, ns: Namespace, cgroup: Cgroup
) -> None:
    needs(feature)
    names = {"veth": ns.interface, "ns": ns.name, "group": cgroup.relative, "mount": cgroup.mount}
    hook = words.format(**names).split()
    if hook[0] not in ("cgroup", "sk_msg", "sk_skb"):
        hook += ["--netns", ns.name]
    with bpffs() as mount:
        cli = Cli(tmp_path, {"BPFIMG_STORE": str(tmp_path / "store"), "HOME": str(tmp_path), "BPFIMG_BPFFS": mount})
        (tmp_path / "app.o").write_bytes(compiled(example))
        (tmp_path / "policy.json").write_text(json.dumps(_POLICY))
        cli("run", "--policy", "policy.json", "--name", "app", "./app.o", *hook)
        (link,) = cli.json("links", "links")["links"]
        assert (link["hook"], link["state"]) == (hook[0], "attached")
        assert where.format(**names) in link["target"]
        shown = cli("get", str(cli.json("programs", "list")["programs"][0]["id"])).stdout
        assert where.format(**names) in shown
        assert "map-counters" in shown
        cli("detach", str(link["id"]))
        assert cli.json("links", "links")["links"] == []
        cli("attach", "app", *hook)
        cli("unload", "app")
        assert cli.json("links", "links")["links"] == []

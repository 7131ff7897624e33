"""The words of network and cgroup hooks on the command line, and the hooks that they ask for."""

from __future__ import annotations

import pytest

from bpfimg.cli._hooks import add_hooks, hook_from
from bpfimg.cli._parser import Parser
from bpfimg.errors import UsageError
from bpfimg.load import hooks


def asked(words: str) -> hooks.Hook:
    parser = Parser(prog="bpfimg run")
    add_hooks(parser, lambda hook: None)
    return hook_from(parser.parse_args(words.split()))


@pytest.mark.parametrize(
    ("words", "hook"),
    [
        ("xdp -i eth0", hooks.Xdp("eth0")),
        (
            "xdp --iface eth0 -p 5 --mode native --proceed-on drop --netns blue",
            hooks.Xdp("eth0", 5, ("drop",), "native", "blue"),
        ),
        (
            "xdp -i eth0 --dispatcher freplace --protocol v3",
            hooks.Xdp("eth0", dispatcher="freplace", protocol="v3"),
        ),
        ("xdp -i eth0 --exclusive", hooks.Xdp("eth0", exclusive=True)),
        ("tc -i eth0 -d egress", hooks.Tc("eth0", "egress")),
        ("tc -i eth0 -d egress --dispatcher fused", hooks.Tc("eth0", "egress", dispatcher="fused")),
        ("tcx -i eth0 -d ingress -p 7 --netns /run/netns/a", hooks.Tcx("eth0", "ingress", 7, "/run/netns/a")),
        ("netkit -i nk0", hooks.Netkit("nk0")),
        ("netkit -i nk0 --side peer -p 7 --netns blue", hooks.Netkit("nk0", "peer", 7, "blue")),
        ("netfilter --hook input", hooks.Netfilter("ipv4", "input", 0)),
        ("netfilter --family ipv6 --hook output -p -5", hooks.Netfilter("ipv6", "output", -5)),
        ("netfilter --hook input -p mangle", hooks.Netfilter("ipv4", "input", -150)),
        ("netfilter --hook input -p srcnat+5", hooks.Netfilter("ipv4", "input", 105)),
        ("netfilter --hook input -p raw-10 --defrag", hooks.Netfilter("ipv4", "input", -310, defrag=True)),
        ("sk_lookup", hooks.Netns("sk_lookup")),
        ("sk_lookup --netns blue", hooks.Netns("sk_lookup", "blue")),
        ("flow_dissector --netns blue", hooks.Netns("flow_dissector", "blue")),
        ("sk_msg --map sockets", hooks.Sockmap("sk_msg", "sockets")),
        ("sk_skb --map 17", hooks.Sockmap("sk_skb", "17")),
        ("sk_skb --map s --attach-type stream_parser", hooks.Sockmap("sk_skb", "s", "sk_skb_stream_parser")),
        ("cgroup a.slice", hooks.Cgroup("a.slice")),
        ("cgroup a --attach-type egress", hooks.Cgroup("a", "cgroup_inet_egress")),
        ("cgroup a --attach-type connect4", hooks.Cgroup("a", "cgroup_inet4_connect")),
        ("cgroup a --attach-type post_bind6", hooks.Cgroup("a", "cgroup_inet6_post_bind")),
        ("cgroup a --attach-type recvmsg6", hooks.Cgroup("a", "cgroup_udp6_recvmsg")),
        ("cgroup a --attach-type sock-create", hooks.Cgroup("a", "cgroup_inet_sock_create")),
        ("cgroup a --attach-type unix_connect", hooks.Cgroup("a", "cgroup_unix_connect")),
        ("cgroup a --attach-type connect_unix", hooks.Cgroup("a", "cgroup_unix_connect")),
        ("cgroup a --attach-type setsockopt", hooks.Cgroup("a", "cgroup_setsockopt")),
        ("cgroup a --attach-type dev", hooks.Cgroup("a", "cgroup_device")),
        ("cgroup a --attach-type sockops", hooks.Cgroup("a", "cgroup_sock_ops")),
        ("cgroup a --attach-type cgroup_inet4_bind", hooks.Cgroup("a", "cgroup_inet4_bind")),
        ("cgroup a --target socket_bind", hooks.Cgroup("a", target="socket_bind")),
    ],
)
def test_words_ask_for_a_hook(words: str, hook: hooks.Hook) -> None:
    assert asked(words) == hook


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("xdp -i eth0 --dispatcher fast", "'fast' is not a dispatcher, expected auto, freplace, fused"),
        ("xdp -i eth0 --protocol v1", "'v1' is not a version of libxdp's protocol, expected auto, v2, v3"),
        ("xdp -i eth0 --exclusive --dispatcher fused", "expected one of the two"),
        ("xdp -i eth0 --proceed-on pipe", "proceed-on 'pipe' is not an action of this hook, expected aborted, drop"),
        ("netfilter --hook input -p high", "--priority is 'high', expected a whole number"),
        ("netfilter --hook input -p filter+", "expected a whole number"),
        ("netfilter --hook middle", "'middle' is not a netfilter hook, expected prerouting"),
        ("netfilter --hook input --family ip", "'ip' is not a family, expected ipv4, ipv6"),
        ("netfilter --hook input -p 2147483647", "out of range"),
        ("netkit -i nk0 --side left", "'left' is not a side, expected primary, peer"),
        ("sk_skb --map s --attach-type parser", "expected sk_skb_verdict, sk_skb_stream_verdict"),
        ("cgroup a --attach-type xdp", "is not a known attach type of control groups, expected"),
        ("cgroup a --target ../x", "target '../x' is not a name"),
    ],
)
def test_words_that_ask_for_none(words: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(words)
    assert said in str(caught.value)

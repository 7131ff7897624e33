"""Hooks of the network on the command line: their options, and the hook that these ask for."""

from __future__ import annotations

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bpfimg.load import Hook

__all__ = ["HOOKS", "action_names", "priority_number"]

# NF_IP_PRI_*, in the words of nft(8)
_NETFILTER_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}


def _interface(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", "--iface", metavar="IF", required=True, help="the interface")
    _namespace(parser, " of the interface")


def _namespace(parser: argparse.ArgumentParser, whose: str = "") -> None:
    parser.add_argument(
        "--netns", metavar="PATH", help=f"network namespace{whose}: a path, or a name as `ip netns` has it"
    )


def _order(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-p", "--priority", metavar="N", default="50", help="lower runs first (default 50)")


def _proceed(parser: argparse.ArgumentParser, default: str) -> None:
    text = f"go on to the next program after these results (default {default})"
    parser.add_argument("--proceed-on", metavar="A,B", default=default, help=text)


def _dispatcher(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dispatcher",
        metavar="auto|freplace|fused",
        default="auto",
        help="how a first program lets others join: freplace, whose programs are exchanged one by one; fused, one"
        " program made of all; auto (default): freplace where the kernel lets it, and always as it is there already",
    )


def _direction(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-d", "--direction", metavar="ingress|egress", required=True, help="which way the packets go")


def _add_xdp(parser: argparse.ArgumentParser) -> None:
    _interface(parser)
    _order(parser)
    _proceed(parser, "pass,dispatcher_return")
    parser.add_argument(
        "--mode",
        metavar="auto|native|generic",
        default="auto",
        help="native: in the driver; generic: in the network stack; auto (default): native if the driver takes it",
    )
    _dispatcher(parser)
    parser.add_argument(
        "--protocol",
        metavar="auto|v2|v3",
        default="auto",
        help="version of libxdp's dispatchers that a first program starts (default v2, which xdp-loader 1.3 and 1.5"
        " can change; v3 is that of 1.6)",
    )
    parser.add_argument("--exclusive", action="store_true", help="alone on the interface, by a link: no chain")


def _xdp(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    return hooks.Xdp(
        arguments.iface,
        priority=_priority(arguments),
        proceed_on=_actions(arguments),
        mode=arguments.mode,
        netns=arguments.netns,
        dispatcher=arguments.dispatcher,
        protocol=arguments.protocol,
        exclusive=arguments.exclusive,
    )


def _add_tc(parser: argparse.ArgumentParser) -> None:
    _interface(parser)
    _direction(parser)
    _order(parser)
    _proceed(parser, "pipe,dispatcher_return")
    _dispatcher(parser)


def _tc(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    return hooks.Tc(
        arguments.iface,
        arguments.direction,
        priority=_priority(arguments),
        proceed_on=_actions(arguments),
        netns=arguments.netns,
        dispatcher=arguments.dispatcher,
    )


def _add_tcx(parser: argparse.ArgumentParser) -> None:
    _interface(parser)
    _direction(parser)
    _order(parser)


def _tcx(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    return hooks.Tcx(arguments.iface, arguments.direction, priority=_priority(arguments), netns=arguments.netns)


def _add_netkit(parser: argparse.ArgumentParser) -> None:
    _interface(parser)
    parser.add_argument(
        "--side",
        metavar="primary|peer",
        default="primary",
        help="which end of the pair, both by way of its primary device (default primary)",
    )
    _order(parser)


def _netkit(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    return hooks.Netkit(arguments.iface, arguments.side, priority=_priority(arguments), netns=arguments.netns)


def _add_netfilter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--family", metavar="ipv4|ipv6", default="ipv4", help="protocol (default ipv4)")
    parser.add_argument(
        "--hook",
        dest="netfilter_hook",
        metavar="NAME",
        required=True,
        help="prerouting, input, forward, output or postrouting",
    )
    parser.add_argument(
        "-p",
        "--priority",
        metavar="N",
        default="0",
        help="a number, or raw, mangle, dstnat, filter, security, srcnat as in nft(8), or such a word + or - a number;"
        " lower runs first (default 0, filter)",
    )
    parser.add_argument("--defrag", action="store_true", help="see whole datagrams: fragments are put together before")
    _namespace(parser)


def _netfilter(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    return hooks.Netfilter(
        arguments.family,
        arguments.netfilter_hook,
        _netfilter_priority(arguments.priority),
        defrag=arguments.defrag,
        netns=arguments.netns,
    )


def _netfilter_priority(text: str) -> int:
    """As nft(8) has it: -150, mangle, mangle+5."""
    for name, number in _NETFILTER_PRIORITIES.items():
        if text == name:
            return number
        if text.startswith((f"{name}+", f"{name}-")):
            return number + priority_number(text[len(name) :])
    return priority_number(text)


def _netns(kind: str) -> Callable[[argparse.Namespace], Hook]:
    def asked(arguments: argparse.Namespace) -> Hook:
        from bpfimg.load import hooks

        return hooks.Netns(kind, arguments.netns)

    return asked


def _add_sockmap(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--map", dest="sockmap", metavar="NAME|ID|PIN", required=True, help="the sockmap or sockhash with the sockets"
    )


def _add_sk_skb(parser: argparse.ArgumentParser) -> None:
    _add_sockmap(parser)
    parser.add_argument(
        "--attach-type",
        metavar="TYPE",
        help="where its section leaves it open: verdict (default), stream_verdict or stream_parser",
    )


def _sockmap(kind: str) -> Callable[[argparse.Namespace], Hook]:
    def asked(arguments: argparse.Namespace) -> Hook:
        from bpfimg.load import hooks

        word = getattr(arguments, "attach_type", None)
        if word is not None and not word.startswith("sk_skb_"):
            word = f"sk_skb_{word}"
        return hooks.Sockmap(kind, arguments.sockmap, word)

    return asked


def _priority(arguments: argparse.Namespace) -> int:
    return priority_number(arguments.priority)


def priority_number(text: str) -> int:
    """What `--priority` says; UsageError for what is no whole number."""
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--priority is {text!r}, expected a whole number") from None


def _actions(arguments: argparse.Namespace) -> tuple[str, ...]:
    return action_names(arguments.proceed_on)


def action_names(text: str) -> tuple[str, ...]:
    """What `--proceed-on` says, as it stands."""
    return tuple(word.strip().lower() for word in text.split(",") if word.strip())


#: hook -> (adds its options, the hook that they ask for)
HOOKS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Hook]]] = {
    "xdp": (_add_xdp, _xdp),
    "tc": (_add_tc, _tc),
    "tcx": (_add_tcx, _tcx),
    "netkit": (_add_netkit, _netkit),
    "netfilter": (_add_netfilter, _netfilter),
    "sk_lookup": (_namespace, _netns("sk_lookup")),
    "flow_dissector": (_namespace, _netns("flow_dissector")),
    "sk_msg": (_add_sockmap, _sockmap("sk_msg")),
    "sk_skb": (_add_sk_skb, _sockmap("sk_skb")),
}

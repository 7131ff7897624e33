"""`bpfimg status`: the chain of programs on each hook, in running order, ours and everybody else's."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.inspect import LinkView, ProgramView

    Key = tuple[int, int, int, int, str]

EPILOG = """\
A packet that comes in meets xdp, then tcx, then tc (filters of traffic control); one that goes out tcx, then tc.

examples:
  bpfimg status
  bpfimg status eth0
  bpfimg status eth0 --netns blue -o json"""

#: hooks in the order in which packets meet them; what follows is not of interfaces
_ORDER = ("xdp", "tcx ingress", "tc ingress", "netkit primary", "netkit peer", "tcx egress", "tc egress")
_NETWORK = ("xdp", "tcx", "tc", "netkit", "netfilter", "flow_dissector", "sk_lookup")


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("interface", metavar="IFACE", nargs="?", help="only hooks of that interface")
    parser.add_argument("--netns", metavar="PATH", help="only that network namespace: a path, or a name of ip-netns(8)")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the chains; AttachError when there is no such interface or namespace."""
    from bpfimg.cli._list import seen
    from bpfimg.cli._render import json_text

    inode = _asked(arguments)
    inventory = seen(options, all=True)
    chains: dict[Key, list[LinkView]] = {}
    for view in inventory.links:
        if inode is not None and (view.netns_inode != inode or _chain(view) not in _NETWORK):
            continue
        if arguments.interface is None or view.interface == arguments.interface:
            chains.setdefault(_key(view), []).append(view)
    ordered = [sorted(chains[key], key=_position) for key in sorted(chains)]
    programs = {view.id: view for view in inventory.programs}
    if options.json:
        print(json_text({"status": [_entry(chain, programs) for chain in ordered]}))
    elif options.quiet:
        print("".join(f"{_id(chain[0])}\n" for chain in ordered), end="")
    else:
        print(_table(ordered, programs))
    return 0


def _asked(arguments: argparse.Namespace) -> int | None:
    """The namespace that is asked for, by its number; the interface is in our own where none is named."""
    if arguments.netns is None and arguments.interface is None:
        return None
    from bpfimg.kernel import netlink, netns

    if arguments.interface is not None:
        netns.call(arguments.netns, netlink.interface_index, arguments.interface)
    return netns.inode(arguments.netns)


def _chain(view: LinkView) -> str:
    """The chain that a link is in: a hook of ours may be attached in more than one way."""
    if view.type in ("xdp", "tcx", "netkit"):
        return view.type
    return "tc" if view.how == "clsact" else view.hook


def _key(view: LinkView) -> Key:
    chain = _chain(view)
    if chain in _NETWORK:
        side = f"{chain} {view.direction}" if view.direction else chain
        order = _ORDER.index(side) if side in _ORDER else len(_ORDER)
        here = 0 if view.netns is None else 1
        return here, view.netns_inode or 0, view.ifindex or 0, order, f"{side} {_place(view)}"
    return 2, 0, 0, 0, f"{chain} {_place(view)}"


def _position(view: LinkView) -> tuple[int, int, int]:
    return view.position if view.position is not None else 1 << 30, view.priority or 0, view.kernel_id or 0


def _place(view: LinkView) -> str:
    """Where the chain is, without what differs inside of it."""
    if view.interface and _chain(view) in _NETWORK:
        return view.interface
    if view.hook == "netfilter":
        return view.target.partition(" priority")[0]
    return view.target


def _namespace(view: LinkView) -> str:
    if _chain(view) not in _NETWORK or not view.netns:
        return ""
    folder, _, name = view.netns.rpartition("/")
    return name if folder.endswith("/netns") else view.netns


def _id(view: LinkView) -> str:
    words = (str(view.netns_inode or "-"), _place(view), _chain(view), view.direction or "")
    return "/".join(filter(None, words)) if _chain(view) in _NETWORK else f"{_chain(view)}/{_place(view)}"


def _entry(chain: Sequence[LinkView], programs: dict[int, ProgramView]) -> dict[str, object]:
    from bpfimg.cli._entries import link_entry

    first = chain[0]
    network = _chain(first) in _NETWORK
    return {
        "id": _id(first),
        "hook": _chain(first),
        "place": _place(first),
        "netns": first.netns if network else None,
        "netns_inode": first.netns_inode if network else None,
        "interface": first.interface,
        "ifindex": first.ifindex,
        "direction": first.direction,
        "chain": [
            {
                "program": _program(view, programs.get(view.program_id)),
                "application": _application(programs.get(view.program_id)),
                "link": link_entry(view),
            }
            for view in chain
        ],
    }


def _program(view: LinkView, program: ProgramView | None) -> dict[str, object]:
    return {
        "id": view.program_id,
        "name": program.name if program else "",
        "type": program.type if program else "",
    }


def _application(program: ProgramView | None) -> str | None:
    return program.record.name if program and program.record else None


def _table(chains: Sequence[Sequence[LinkView]], programs: dict[int, ProgramView]) -> str:
    from bpfimg.cli._render import table

    rows = []
    for chain in chains:
        for number, view in enumerate(chain):
            program = programs.get(view.program_id)
            holder = "; ".join((program.held_by if program else ())[:2])
            place = " in ".join(filter(None, (_place(view) or "-", _namespace(view))))
            rows.append(
                (
                    place if number == 0 else "",
                    " ".join(filter(None, (_chain(view), view.direction))) if number == 0 else "",
                    "-" if view.position is None else str(view.position),
                    "-" if view.priority is None else str(view.priority),
                    str(view.program_id),
                    program.name if program else "-",
                    _application(program) or holder or "-",
                    f"{view.state}: {view.reason}" if view.reason else view.state,
                )
            )
    head = ("PLACE", "HOOK", "POSITION", "PRIORITY", "ID", "PROGRAM", "APPLICATION OR HOLDER", "STATE")
    return table(head, rows)

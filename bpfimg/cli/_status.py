"""`bpfimg status`: the chain of programs on each hook, in running order, ours and everybody else's."""

from __future__ import annotations

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.inspect import LinkView, ProgramView, order

    Programs = dict[int, ProgramView]

EPILOG = """\
A packet that comes in meets xdp, then tcx, then tc (filters of traffic control); one that goes out tcx, then tc.

The programs of a dispatcher are shown in its place, one after the other; those of other tools that use libxdp, too.
PROCEED-ON are the results after which the next program runs; after any other the chain ends with that result. RUNS
are there where the kernel has counted (`bpfimg list --stats`, or the sysctl kernel.bpf_stats_enabled): it counts a
dispatcher, and so its first program, not those behind.

examples:
  bpfimg status
  bpfimg status eth0
  bpfimg status eth0 --netns blue -o json
  bpfimg status eth0 --graph svg > eth0.svg"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("interface", metavar="IFACE", nargs="?", help="only hooks of that interface")
    parser.add_argument("--netns", metavar="PATH", help="only that network namespace: a path, or a name of ip-netns(8)")
    parser.add_argument("--graph", metavar="mermaid|svg", help="the way of a packet through it all as a drawing")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the chains; AttachError when there is no such interface or namespace."""
    from bpfimg.cli._list import seen
    from bpfimg.cli._render import clean, json_text
    from bpfimg.inspect import order

    if arguments.graph not in (None, "mermaid", "svg"):
        raise UsageError(f"--graph is {arguments.graph!r}, expected mermaid or svg")
    if arguments.graph and options.json:
        raise UsageError(f"--graph {arguments.graph} is no JSON, expected it without -o json")
    inode = _asked(arguments)
    inventory = seen(options, all=True)
    hooks = order.hooks(inventory, inode=inode, interface=arguments.interface)
    programs = {view.id: view for view in inventory.programs}
    if arguments.graph:
        print(_drawing(hooks, programs, arguments), end="")
    elif options.json:
        print(json_text({"status": [_entry(hook, programs) for hook in hooks]}))
    elif options.quiet:
        print("".join(f"{clean(hook.id)}\n" for hook in hooks), end="")
    else:
        from bpfimg.cli._status_text import text

        print(text(hooks, programs))
    return 0


def _asked(arguments: argparse.Namespace) -> int | None:
    """The namespace that is asked for, by its number; the interface is in our own where none is named."""
    if arguments.netns is None and arguments.interface is None:
        return None
    from bpfimg.kernel import netlink, netns

    if arguments.interface is not None:
        netns.call(arguments.netns, netlink.interface_index, arguments.interface)
    return netns.inode(arguments.netns)


def _drawing(hooks: Sequence[order.HookView], programs: Programs, arguments: argparse.Namespace) -> str:
    from bpfimg.inspect import order

    made = order.drawn(hooks, programs)
    return made.mermaid() if arguments.graph == "mermaid" else made.svg(arguments.interface or "programs on hooks")


def _entry(hook: order.HookView, programs: Programs) -> dict[str, object]:
    steps = [_step(number, view, programs) for number, view in enumerate(hook.links)]
    return {
        "id": hook.id,
        "hook": hook.hook,
        "place": hook.place,
        "netns": hook.netns,
        "netns_inode": hook.netns_inode,
        "interface": hook.interface,
        "ifindex": hook.ifindex,
        "direction": hook.direction,
        "dispatchers": [_carrier(view, programs) for view in hook.carriers],
        "chain": steps,
    }


def _step(number: int, view: LinkView, programs: Programs) -> dict[str, object]:
    from bpfimg.cli._entries import image_of, link_entry
    from bpfimg.inspect import order

    program = programs.get(view.program_id)
    return {
        "order": number if view.state == "attached" else None,
        "program": _program(view, program),
        "application": _application(program),
        "image": image_of(program.record) if program and program.record else None,
        "runs": order.runs(view, programs),
        "link": link_entry(view),
    }


def _carrier(view: LinkView, programs: Programs) -> dict[str, object]:
    from bpfimg.cli._entries import link_entry
    from bpfimg.inspect import order

    program = programs.get(view.program_id)
    damage = view.details.get("damage")
    return {
        "program": _program(view, program),
        "builder": view.builder,
        "protocol": view.protocol or None,
        "damage": str(damage) if damage else None,
        "runs": order.runs(view, programs),
        "link": link_entry(view),
    }


def _program(view: LinkView, program: ProgramView | None) -> dict[str, object]:
    return {
        "id": view.program_id,
        "name": program.name if program else "",
        "type": program.type if program else "",
    }


def _application(program: ProgramView | None) -> str | None:
    return program.record.name if program and program.record else None


__all__ = ["EPILOG", "add", "run"]

"""`bpfimg maps`: the maps of what bpfimg loaded, or every map in this kernel."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.inspect import MapView
    from bpfimg.load import Load

EPILOG = """\
A map is listed once, with all loads of bpfimg that use it. What is in a map shows `bpfimg map dump`.

examples:
  bpfimg maps
  bpfimg maps -l team=edge --type percpu_array
  bpfimg maps --all -o json"""

_FIELDS = ("type", "key_size", "value_size", "max_entries", "flags", "memlock", "frozen")


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("--all", action="store_true", help="every map in the kernel, whoever made it")
    parser.add_argument("--type", dest="kinds", metavar="T", action="append", help="of that type: hash, percpu_array")
    parser.add_argument(
        "-l", "--selector", dest="selected", metavar="K[=V]", action="append", help="of loads with that metadata"
    )
    parser.add_argument(
        "--application", "--name", dest="applications", metavar="APP", action="append", help="of that application"
    )


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the list; an empty one is no error."""
    from bpfimg import inspect
    from bpfimg.cli._loaded import host_of
    from bpfimg.cli._render import json_text, table

    kinds = _kinds(arguments.kinds)
    host = host_of(options)
    wanted = _loads(arguments, host.loads())
    picky = bool(arguments.selected or arguments.applications)
    views = []
    for view in inspect.host(host, all=arguments.all, maps=True).maps:
        users = [load for load in wanted if load.record and view.id in {number for _, number in load.record.maps}]
        if (not kinds or view.type in kinds) and (users or not picky):
            views.append((view, users))
    if options.json:
        print(json_text({"maps": [_entry(view, users) for view, users in views]}))
    elif options.quiet:
        print("".join(f"{view.id}\n" for view, _ in views), end="")
    else:
        head = ("ID", "NAME", "TYPE", "KEY", "VALUE", "ENTRIES", "MEMORY", "APPLICATION", "PROGRAMS")
        print(
            table(
                head,
                [_row(view, users) for view, users in views],
                free=("TYPE", "PROGRAMS"),
                spare=("MEMORY", "KEY", "VALUE"),
            )
        )
    return 0


def _kinds(given: Sequence[str] | None) -> frozenset[str]:
    from bpfimg.errors import UsageError, quoted
    from bpfimg.kernel import abi

    for word in given or ():
        if word not in abi.MAP_TYPES and not word.startswith("type "):
            words = ", ".join(abi.MAP_TYPES[1:])
            raise UsageError(f"--type is {quoted(word)}, expected one of the kernel's words", hint=f"they are: {words}")
    return frozenset(given or ())


def _loads(arguments: argparse.Namespace, loads: Sequence[Load]) -> list[Load]:
    arguments.types = None
    from bpfimg.cli._selected import selector

    chosen = selector(arguments)
    return [load for load in loads if load.record and chosen.fits(load.name, (), load.record.metadata)]


def _entry(view: MapView, users: Sequence[Load]) -> dict[str, object]:
    from_whom = [load.record.shared.get(view.name) for load in users if load.record]
    return {
        "id": view.id,
        "name": view.name,
        "managed": view.load is not None,
        **{field: getattr(view, field) for field in _FIELDS},
        "program_ids": list(view.program_ids),
        "loads": [{"id": load.id, "application": load.name} for load in users],
        "shared": next(filter(None, from_whom), None),
        "pin": view.pin or None,
    }


def _row(view: MapView, users: Sequence[Load]) -> tuple[str, ...]:
    return (
        str(view.id),
        view.name or "-",
        view.type + (" (frozen)" if view.frozen else ""),
        str(view.key_size),
        str(view.value_size),
        str(view.max_entries),
        "-" if view.memlock is None else str(view.memlock),
        ", ".join(dict.fromkeys(load.name for load in users)) or "-",
        ", ".join(map(str, view.program_ids)) or "-",
    )

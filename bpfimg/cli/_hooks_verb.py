"""`bpfimg hooks`: what programs can be attached to."""

from __future__ import annotations

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from bpfimg.cli._options import Options

EPILOG = """\
KIND is kprobe (functions of the kernel that may be probed), tracepoint (with what each records), uprobe (functions of
a program or shared library) or usdt (static probes). uprobe and usdt take a FILE, as the hooks do: a path, or the name
of a program or library. A PATTERN has `*` and `?` as in the shell; without one all are listed.

examples:
  bpfimg hooks kprobe 'tcp_*'
  bpfimg hooks tracepoint 'sched/*' -o json
  bpfimg hooks usdt python3
  bpfimg hooks uprobe libssl 'SSL_*'"""

_KINDS = ("kprobe", "tracepoint", "uprobe", "usdt")

# Of each thing found: the JSON entry, and the cells of its line.
Row = tuple[dict[str, object], tuple[str, ...]]


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("kind", metavar="KIND", help=", ".join(_KINDS))
    parser.add_argument("words", metavar="FILE | PATTERN", nargs="*", help="the file (uprobe, usdt), then patterns")
    parser.add_argument(
        "--container-pid", metavar="P", help="FILE is what this process, of a container, sees under that path or name"
    )


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the list; an empty one is no error."""
    from bpfimg.cli._render import json_text, table

    if arguments.kind not in _KINDS:
        from bpfimg.cli._near import near

        message = f"the kind of hook is {arguments.kind!r}, expected one of {', '.join(_KINDS)}"
        raise UsageError(message, hint=near(arguments.kind, _KINDS))
    of_file = arguments.kind in ("uprobe", "usdt")
    if of_file and not arguments.words:
        raise UsageError(f"`hooks {arguments.kind}` lacks a FILE, expected a path or a name such as libssl")
    if not of_file and arguments.container_pid is not None:
        raise UsageError(f"--container-pid goes with uprobe and usdt, expected none for {arguments.kind}")
    head, rows = _LISTS[arguments.kind](arguments)
    if options.json:
        print(json_text({"hooks": [entry for entry, _ in rows]}))
    elif options.quiet:
        print("".join(f"{cells[0]}\n" for cells in _cleaned(rows)), end="")
    else:
        print(table(head, [cells for _, cells in rows]))
    return 0


def _cleaned(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    from bpfimg.cli._render import clean

    return [tuple(clean(cell) for cell in cells) for _, cells in rows]


def _kprobe(arguments: argparse.Namespace) -> tuple[tuple[str, ...], list[Row]]:
    from bpfimg.load import hooks

    rows: list[Row] = [
        (
            {
                "id": f"{each.module or 'vmlinux'}:{each.name}",
                "kind": "kprobe",
                "name": each.name,
                "module": each.module,
            },
            (each.name, each.module or "-"),
        )
        for each in hooks.attachable.kprobes(arguments.words)
    ]
    return ("FUNCTION", "MODULE"), rows


def _tracepoint(arguments: argparse.Namespace) -> tuple[tuple[str, ...], list[Row]]:
    from bpfimg.load import hooks

    rows: list[Row] = []
    for each in hooks.attachable.tracepoints(arguments.words):
        name = f"{each.group}/{each.name}"
        fields = [
            {"name": field, "type": kind, "offset": offset, "size": size} for field, kind, offset, size in each.fields
        ]
        entry: dict[str, object] = {
            "id": name,
            "kind": "tracepoint",
            "group": each.group,
            "name": each.name,
            "fields": fields,
        }
        rows.append((entry, (name, ", ".join(_declared(field, kind) for field, kind, _, _ in each.fields) or "-")))
    return ("TRACEPOINT", "RECORDS"), rows


def _declared(name: str, kind: str) -> str:
    """As C has it: `char comm[16]`."""
    plain, bracket, length = kind.partition("[")
    return f"{plain.removeprefix('__data_loc ')} {name}{bracket}{length}".replace(" * ", " *")


def _uprobe(arguments: argparse.Namespace) -> tuple[tuple[str, ...], list[Row]]:
    from bpfimg.load import hooks

    file, *patterns = arguments.words
    rows: list[Row] = [
        (
            {
                "id": f"{each.name}+{each.offset:#x}",
                "kind": "uprobe",
                "file": each.file,
                "name": each.name,
                "offset": each.offset,
                "size": each.size,
            },
            (each.name, f"{each.offset:#x}", str(each.size)),
        )
        for each in hooks.attachable.uprobes(file, patterns, _pid(arguments))
    ]
    return ("FUNCTION", "OFFSET", "SIZE"), rows


def _usdt(arguments: argparse.Namespace) -> tuple[tuple[str, ...], list[Row]]:
    from bpfimg.load import hooks

    file, *patterns = arguments.words
    rows: list[Row] = []
    for each in hooks.attachable.probes(file, patterns, _pid(arguments)):
        name = f"{each.provider}:{each.name}"
        entry: dict[str, object] = {
            "id": name,
            "kind": "usdt",
            "file": each.file,
            "provider": each.provider,
            "name": each.name,
            "offsets": list(each.offsets),
            "semaphore": each.semaphore,
            "arguments": list(each.arguments),
        }
        semaphore = "yes" if each.semaphore else "no"
        rows.append((entry, (name, str(len(each.offsets)), semaphore, " | ".join(each.arguments) or "-")))
    return ("PROBE", "PLACES", "SEMAPHORE", "ARGUMENTS"), rows


def _pid(arguments: argparse.Namespace) -> int | None:
    if arguments.container_pid is None:
        return None
    try:
        return int(arguments.container_pid)
    except ValueError:
        raise UsageError(f"--container-pid is {arguments.container_pid!r}, expected a whole number") from None


_LISTS: dict[str, Callable[[argparse.Namespace], tuple[tuple[str, ...], list[Row]]]] = {
    "kprobe": _kprobe,
    "tracepoint": _tracepoint,
    "uprobe": _uprobe,
    "usdt": _usdt,
}

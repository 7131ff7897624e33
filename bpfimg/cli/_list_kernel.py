"""`bpfimg list --btf` and `--struct-ops`: what else of eBPF is in the kernel."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.inspect import Inventory

    Entry = dict[str, object]


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints one of the lists; UsageError when both are asked for."""
    from bpfimg.cli._list import seen
    from bpfimg.cli._render import json_text, table
    from bpfimg.errors import UsageError

    if arguments.btf and arguments.struct_ops:
        raise UsageError("--btf and --struct-ops were given, expected one of the two")
    inventory = seen(options, all=True, types=True)
    name, entries = ("btf", _btf(inventory)) if arguments.btf else ("struct_ops", _struct_ops(inventory))
    if options.json:
        print(json_text({name: entries}))
    elif options.quiet:
        print("".join(f"{entry['id']}\n" for entry in entries), end="")
    else:
        head = list(_BTF if arguments.btf else _STRUCT_OPS)
        rows = [[_shown(entry[field]) for field in head] for entry in entries]
        print(table([field.replace("_ids", "s").replace("_", " ").upper() for field in head], rows))
    return 0


_BTF = ("id", "name", "size", "program_ids", "map_ids", "held_by")
_STRUCT_OPS = ("id", "name", "type", "state", "link_ids", "program_ids", "held_by")


def _btf(inventory: Inventory) -> list[Entry]:
    return [{field: _plain(getattr(each, field)) for field in (*_BTF, "kernel")} for each in inventory.btfs]


def _struct_ops(inventory: Inventory) -> list[Entry]:
    return [{field: _plain(getattr(each, field)) for field in _STRUCT_OPS} for each in inventory.struct_ops]


def _plain(content: object) -> object:
    return list(content) if isinstance(content, tuple) else content


def _shown(content: object) -> str:
    if isinstance(content, list):
        most = ", ".join(map(str, content[:8])) + (", …" if len(content) > 8 else "")
        return most or "-"
    return "-" if content in (None, "") else str(content)

"""`bpfimg inspect --id`: a program that is in the kernel, whoever loaded it."""

from __future__ import annotations

from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from typing import Any

    from bpfimg.cli._options import Options

    Document = Mapping[str, Any]

_ID_MAX = (1 << 32) - 1


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints what the kernel says of the program, or its code."""
    number = _number(arguments.id)
    given = [word for word in ("graph", "platform", "core") if getattr(arguments, word)]
    if given:
        raise UsageError(f"--{given[0]} is for images and object files, not for a program in the kernel")
    code = arguments.disassemble is not None or arguments.source
    from bpfimg import inspect
    from bpfimg.cli import _inspect_more
    from bpfimg.cli._render import json_text

    found: Document = inspect.program(number, code=code, types=arguments.types)
    if code and arguments.disassemble not in (None, "*"):
        found = _only(found, arguments.disassemble)
    if options.json:
        print(json_text(found))
    elif options.quiet:
        print(found["id"])
    elif code or arguments.types:
        print(_inspect_more.text(found, source=arguments.source, raw=options.verbose), end="")
    else:
        print(_overview(found))
    return 0


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) <= _ID_MAX:
        return int(text)
    raise UsageError(
        f"--id is {quoted(text)}, expected the id of a program, a number", hint="`bpfimg list --all` shows them"
    )


def _only(found: Document, name: str) -> dict[str, object]:
    code = [each for each in found["code"] if each["name"] == name]
    if not code:
        names = ", ".join(quoted(each["name"])[1:-1] for each in found["code"])
        raise UsageError(f"program {found['id']} has no function {quoted(name)}", hint=f"it has: {names}")
    return {**found, "code": code}


def _overview(found: Document) -> str:
    from bpfimg.cli._inspect_text import entries, sized
    from bpfimg.cli._render import block, table

    parts = [block(f"Program {found['id']} in the kernel", list(_head(found)))]
    if found["maps"]:
        rows = [
            (str(each["id"]), each["name"], each["type"], sized(each, "key"), sized(each, "value"), entries(each))
            for each in found["maps"]
        ]
        parts.append(table(("ID", "MAP", "TYPE", "KEY", "VALUE", "ENTRIES"), rows))
    if len(found["functions"]) > 1:
        sizes = [(each["name"], str(each["instructions"])) for each in found["functions"]]
        parts.append(table(("FUNCTION", "INSNS"), sizes))
    return "\n\n".join(parts)


def _head(found: Document) -> Iterator[tuple[str, str]]:
    yield "name", found["name"]
    yield "type", found["type"]
    if found["target"]:
        yield "target", found["target"]
    yield "tag", found["tag"]
    yield "GPL compatible", "yes" if found["gpl"] else "no"
    yield "loaded at", f"{found['loaded_at']} by user {found['uid']}"
    yield "BTF", f"id {found['btf_id']}" if found["btf_id"] else "no"
    yield "translated", f"{found['xlated_size']} bytes, {found['xlated_size'] // 8} instructions"
    yield "compiled", f"{found['jited_size']} bytes" if found["jited_size"] else "no, interpreted"
    if found["memlock"] is not None:
        yield "memory", f"{found['memlock']} bytes"
    if found["verified_instructions"] is not None:
        yield "verified", f"{found['verified_instructions']} instructions"
    if found["run_count"]:
        yield "run", f"{found['run_count']} times in {found['run_time']} ns"

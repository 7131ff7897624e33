"""Instructions as JSON-able values."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpfimg.btf import LineInfo
    from bpfimg.bytecode import Dissection, Instruction


def listings(dissection: Dissection, names: Iterable[str]) -> list[dict[str, object]]:
    """The instructions of programs and sub-programs; offsets in bytes from the first; None for what is not there."""
    code = dissection.disassembly()
    return [{"name": name, "instructions": written(code.of(name))} for name in names]


def written(rows: Iterable[Instruction]) -> list[dict[str, object]]:
    """Instructions, with what a branch leads to as a label."""
    kept = list(rows)
    labels = {row.offset: row.label for row in kept if row.label}
    return [_row(row, labels) for row in kept]


def _row(row: Instruction, labels: dict[int, str]) -> dict[str, object]:
    return {
        "offset": row.offset,
        "bytes": row.raw.hex(),
        "text": row.text,
        "label": row.label or None,
        "target": labels.get(row.target) if row.target is not None else None,
        "refers": {"kind": row.refers[0], "name": row.refers[1]} if row.refers is not None else None,
        "note": row.note or None,
        "core": row.core or None,
        "source": _source(row.line) if row.line is not None else None,
    }


def _source(line: LineInfo) -> dict[str, object]:
    return {"file": line.file, "line": line.line, "column": line.column, "text": line.text}

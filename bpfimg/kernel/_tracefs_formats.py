"""Which tracepoints the kernel has, and what each of them records, as tracefs tells it."""

from __future__ import annotations

import os

from bpfimg.kernel import _tracefs

_COMMON = "common_"  # what every tracepoint records: its number, the process
_FORMAT_BYTES = 64 << 10


def tracepoints() -> list[tuple[str, str]]:
    """Returns (group, name) of every tracepoint that programs can be attached to; NotSupported: no tracefs."""
    events = f"{_tracefs.mount()}/events"
    found = []
    for group in sorted(os.listdir(events)):
        try:
            names = sorted(os.listdir(f"{events}/{group}"))
        except OSError:
            continue  # a file beside the groups, or one that went with its module
        found += [(group, name) for name in names if os.path.exists(f"{events}/{group}/{name}/id")]
    return found


def fields(group: str, name: str) -> list[tuple[str, str, int, int]]:
    """Returns (name, type, offset, size) of what a tracepoint records, without what all of them do."""
    try:
        with open(f"{_tracefs.mount()}/events/{group}/{name}/format", encoding="ascii", errors="replace") as file:
            return fields_in(file.read(_FORMAT_BYTES))
    except OSError:
        return []


def fields_in(text: str) -> list[tuple[str, str, int, int]]:
    """Reads lines such as `field:char comm[16];	offset:8;	size:16;	signed:0;`."""
    found = []
    for line in text.splitlines():
        words = dict(part.strip().partition(":")[::2] for part in line.strip().split(";") if ":" in part)
        declared = words.get("field", "").strip()
        offset, size = words.get("offset", ""), words.get("size", "")
        if not declared or not (offset.isdigit() and size.isdigit()):
            continue
        kind, blank, name = declared.rpartition(" ")
        name, bracket, length = name.partition("[")
        if blank and not name.startswith(_COMMON):
            found.append((name, f"{kind}{bracket}{length}", int(offset), int(size)))
    return found

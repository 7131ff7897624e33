"""Where a kind of filesystem is mounted, as /proc/self/mountinfo has it."""

from __future__ import annotations


def of_type(kind: str) -> tuple[str, ...]:
    """Returns the mount points whose filesystem type is `kind`, in the order in which they were mounted."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        return tuple(found_in(file.read(), kind))


def found_in(mountinfo: str, kind: str) -> list[str]:
    """Returns the mount points of one type in the text of a mountinfo file.

    Whole filesystems only: a bind mount of one directory inside has another root than `/`.
    """
    found = []
    for line in mountinfo.split("\n"):  # no other: a directory may be called so
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if separator and len(fields) > 4 and after.split(" ")[0] == kind and fields[3] == "/":
            found.append(_unescaped(fields[4]))
    return found


def _unescaped(field: str) -> str:
    for escape, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        field = field.replace(escape, character)
    return field


def seen_by(process: str, kinds: tuple[str, ...]) -> list[tuple[str, str, str, str]]:
    """Returns (type, device, root, mount point) of each mount of these types that a process sees ("self", a PID).

    Empty where it may not be looked at. A mount point of another process is below `/proc/PID/root`.
    """
    try:
        with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            lines = [line for line in file if any(f" - {kind} " in line for kind in kinds)]
    except OSError:
        return []
    found = []
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")[0]
        if len(fields) > 4 and kind in kinds:
            found.append((kind, fields[2], _unescaped(fields[3]), _unescaped(fields[4])))
    return found

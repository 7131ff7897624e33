"""Checks that the hooks share: each returns when the value is one, else raises UsageError with what was expected."""

from __future__ import annotations

from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PRIORITY = 2**31 - 1


def interface(name: str) -> None:
    """The name of an interface, by the kernel's dev_valid_name()."""
    # Below IFNAMSIZ, not a path component of sysfs, no '/', ':' or blank.
    bad = (
        not name
        or len(name.encode(errors="replace")) > 15
        or name in (".", "..")
        or any(c in "/:" or c.isspace() for c in name)
    )
    if bad or not name.isprintable():
        raise UsageError(
            f"{quoted(name)} is not an interface name, expected at most 15 bytes without '/', ':' or blanks"
        )


def priority(number: int) -> None:
    """A priority of ours; lower runs first."""
    if not 0 <= number <= MAX_PRIORITY:
        raise UsageError(f"priority {number} is out of range, expected 0 to {MAX_PRIORITY} (the lower runs first)")


def netns(path: str | None) -> None:
    """A network namespace: a path, or a name below /var/run/netns; None is the caller's own."""
    if path is not None and (not path or not path.isprintable()):
        raise UsageError(f"{quoted(path)} is not a network namespace, expected a path or a name below /var/run/netns")


def one_of(what: str, word: str, words: Sequence[str]) -> None:
    """One of a few words."""
    if word not in words:
        raise UsageError(f"{quoted(word)} is not a {what}, expected {', '.join(words)}")


def actions(names: Sequence[str], known: dict[str, int]) -> tuple[str, ...]:
    """Names of actions in the order of `known`, `dispatcher_return` always among them."""
    for name in names:
        if name not in known:
            raise UsageError(f"proceed-on {quoted(name)} is not an action of this hook, expected {', '.join(known)}")
    wanted = {*names, "dispatcher_return"}
    return tuple(name for name in known if name in wanted)


def word(what: str, text: str, hint: str = "", extra: str = "_") -> None:
    """A name of ASCII letters, digits and `extra`."""
    plain = text
    for c in extra:
        plain = plain.replace(c, "")
    if len(text) > 255 or not (text.isascii() and plain.isalnum()):
        raise UsageError(f"{what} {quoted(text)} is not a name, expected letters, digits and {extra}", hint=hint)


def path(what: str, text: str) -> None:
    """Something that may be a path: printable, not empty, at most 4,095 bytes."""
    if not text or not text.isprintable() or len(text.encode(errors="replace")) > 4095:
        raise UsageError(f"{what} {quoted(text)} is not a path, expected 1 to 4095 printable characters")


def natural(what: str, number: int | None, *, below: int = 1 << 63) -> None:
    """A whole number from 0 on; None is fine."""
    if number is not None and not 0 <= number < below:
        raise UsageError(f"{what} {number} is out of range, expected 0 to {below - 1}")

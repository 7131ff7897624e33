"""Who may open the pins of maps, in words: users and groups of this host by name."""

from __future__ import annotations

from bpfimg.errors import UsageError, quoted
from bpfimg.load import maps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["access", "group_names", "user_names"]

_NUMBER_MAX = (1 << 32) - 2


def access(user: str | None, group: str | None, mode: str | None) -> maps.Access | None:
    """What was asked in words (a name or a number; octal digits); None when nothing was. UsageError: no such thing.

    Without a mode the owner may read and write, and a group that is named may read.
    """
    if user is None and group is None and mode is None:
        return None
    permissions = 0o640 if group is not None else 0o600
    if mode is not None:
        try:
            permissions = int(mode, 8)
        except ValueError:
            permissions = -1
        if not 0 <= permissions <= 0o777 or not mode.isdigit() or permissions & 0o111:
            raise UsageError(
                f"the mode of map pins is {quoted(mode)}, expected octal digits of reading and writing: 640"
            )
    return maps.Access(_user(user), _group(group), permissions)


def user_names() -> Iterator[tuple[str, str]]:
    """The users of this host, and who they are."""
    from pwd import getpwall

    return ((each.pw_name, each.pw_gecos.partition(",")[0]) for each in getpwall())


def group_names() -> Iterator[tuple[str, str]]:
    """The groups of this host."""
    from grp import getgrall

    return ((each.gr_name, "") for each in getgrall())


def _user(word: str | None) -> int | None:
    from pwd import getpwnam

    return None if word is None else _number(word, "user", lambda name: getpwnam(name).pw_uid)


def _group(word: str | None) -> int | None:
    from grp import getgrnam

    return None if word is None else _number(word, "group", lambda name: getgrnam(name).gr_gid)


def _number(word: str, what: str, by_name: Callable[[str], int]) -> int:
    if word.isascii() and word.isdigit() and len(word) <= 10 and int(word) <= _NUMBER_MAX:
        return int(word)
    try:
        return by_name(word)
    except (KeyError, ValueError):
        raise UsageError(f"there is no {what} {quoted(word)} on this host, expected its name or number") from None

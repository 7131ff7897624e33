"""Who may open the pins of a load's maps: root alone, unless a load asks for more.

The directories above stay closed but for those on the way, which let others pass (0711) and list nothing. What is
done here before a load is published is undone by the next writer when the process is killed in between.
"""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted
from bpfimg.kernel import bpffs
from bpfimg.load._map_way import open_way

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NUMBER_MAX = (1 << 32) - 2


@value(frozen=True, slots=True)
class Access:
    """Owner and group by number (None: as the process has them) and mode of the pins of a load's maps."""

    user: int | None = None
    group: int | None = None
    mode: int = 0o600

    def to_dict(self) -> dict[str, int]:
        """As it is recorded."""
        given = {"user": self.user, "group": self.group, "mode": self.mode}
        return {name: number for name, number in given.items() if number is not None}


def access(user: str | None, group: str | None, mode: str | None) -> Access | None:
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
    return Access(_user(user), _group(group), permissions)


def _user(word: str | None) -> int | None:
    from pwd import getpwnam

    return None if word is None else _number(word, "user", lambda name: getpwnam(name).pw_uid)


def _group(word: str | None) -> int | None:
    from grp import getgrnam

    return None if word is None else _number(word, "group", lambda name: getgrnam(name).gr_gid)


def _number(word: str, what: str, by_name: object) -> int:
    if word.isascii() and word.isdigit() and len(word) <= 10 and int(word) <= _NUMBER_MAX:
        return int(word)
    try:
        return int(by_name(word))  # type: ignore[operator]
    except (KeyError, ValueError):
        raise UsageError(f"there is no {what} {quoted(word)} on this host, expected its name or number") from None


def give(folder: str, pins: Sequence[str], asked: Mapping[str, int]) -> None:
    """Gives the pins (names in `folder`) the owner, group and mode that `asked` (a record's `map_access`) says."""
    for pin in pins:
        path = f"{folder}/{pin}"
        try:
            os.chown(path, asked.get("user", -1), asked.get("group", -1), follow_symlinks=False)
            os.chmod(path, asked.get("mode", 0o600))
        except OSError as error:
            raise bpffs.translated("give away", path, error) from error
    if pins:
        open_way(folder)

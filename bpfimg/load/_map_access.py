"""Who may open the pins of a load's maps: root alone, unless a load asks for more.

The directories above stay closed but for those on the way, which let others pass (0711) and list nothing. What is
done here before a load is published is undone by the next writer when the process is killed in between.
"""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.kernel import bpffs
from bpfimg.load._map_way import open_way

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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

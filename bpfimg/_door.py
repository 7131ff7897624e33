"""A room's door: its names, each imported from the file behind it when it is first asked for.

A door lists its names twice, in `__all__` and (for type checkers) in an `if TYPE_CHECKING:` block; the
mapping says which file has them. Start-up is why: `bpfimg list` must not pay for what it does not use.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def opened(room: str, where: Mapping[str, str]) -> Callable[[str], object]:
    """Returns the module-level `__getattr__` (PEP 562) of `room`.

    `where` maps a public name to the file behind the door that defines it; a value ending in `*` means that
    the name is that file itself, a module.
    """
    door = sys._getframe(1).f_globals  # kept there a name is asked for once: functions import whenever they run

    def get(name: str) -> object:
        file = where.get(name)
        if file is None:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        module = __import__(f"{room}.{file.rstrip('*')}", fromlist=["*"])
        door[name] = found = module if file.endswith("*") else getattr(module, name)
        return found

    return get

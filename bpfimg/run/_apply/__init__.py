"""The set of programs that should run: read from a file, compared with what is loaded, written out again.

Nothing here touches the host: `desired` reads a file, `difference` says what has to change, `exported` writes the file
of what is loaded now. A door within the door of `run`.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.run._apply._desired import Application, Attach, desired
    from bpfimg.run._apply._difference import Change, LinkChange, Order, difference
    from bpfimg.run._apply._exported import exported
    from bpfimg.run._apply._toml import toml

__all__ = ["Application", "Attach", "Change", "LinkChange", "Order", "desired", "difference", "exported", "toml"]

__getattr__ = opened(
    __name__,
    {
        "Application": "_desired",
        "Attach": "_desired",
        "Change": "_difference",
        "LinkChange": "_difference",
        "Order": "_difference",
        "desired": "_desired",
        "difference": "_difference",
        "exported": "_exported",
        "toml": "_toml",
    },
)

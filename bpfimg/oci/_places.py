"""Where images live beside store, layout and registry, and how to get in.

`RegistryOptions` is everything the caller decides about registries, `Limits` how much of what they send is looked at.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._options import RegistryOptions

__all__ = [
    "Limits",
    "RegistryOptions",
]

__getattr__ = opened(
    "bpfimg.oci",
    {
        "Limits": "_limits",
        "RegistryOptions": "_options",
    },
)

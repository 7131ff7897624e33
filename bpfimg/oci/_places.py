"""Where images live beside store, layout and registry, and how to get in.

`RegistryOptions` is everything the caller decides about registries, `Registries` what registries.conf(5) says, `Limits`
how much of what they send is looked at.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._options import RegistryOptions
    from bpfimg.oci._registries import Registries

__all__ = [
    "Limits",
    "Registries",
    "RegistryOptions",
]

__getattr__ = opened(
    "bpfimg.oci",
    {
        "Limits": "_limits",
        "Registries": "_registries",
        "RegistryOptions": "_options",
    },
)

"""Where images live beside store, layout and registry, and how to get in.

`RegistryOptions` is everything the caller decides about registries, `Registries` what registries.conf(5) says, `Limits`
how much of what they send is looked at. `Batch` writes many images to one store together. `Engine` is a running docker
or podman.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._batch import Batch
    from bpfimg.oci._connections import Connections
    from bpfimg.oci._engine import Engine
    from bpfimg.oci._environment import registry_options
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._options import RegistryOptions
    from bpfimg.oci._progress import Progress
    from bpfimg.oci._registries import Registries
    from bpfimg.oci._transport import Location
    from bpfimg.oci._whole import is_whole

__all__ = [
    "Batch",
    "Connections",
    "Engine",
    "Limits",
    "Location",
    "Progress",
    "Registries",
    "RegistryOptions",
    "is_whole",
    "registry_options",
]

__getattr__ = opened(
    "bpfimg.oci",
    {
        "Batch": "_batch",
        "Connections": "_connections",
        "Engine": "_engine",
        "Limits": "_limits",
        "Location": "_transport",
        "Progress": "_progress",
        "Registries": "_registries",
        "RegistryOptions": "_options",
        "is_whole": "_whole",
        "registry_options": "_environment",
    },
)

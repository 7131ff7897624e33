"""Where images live beside store, layout and registry, and how to get in.

`Location` is what a person writes, `Archive` a tar file of images, `DockerDaemon` the images of a running docker or
podman (`Engine`), `Oras` a registry as a caller of oras-py has set it up. `RegistryOptions` is everything the caller
decides about registries: `registry_options` makes it of the user's environment, `Registries` is what their
registries.conf(5) says, `Limits` how much of what others send is looked at; `login` and `logout` keep credentials.
`Connections` are what registries share, `Together` what copies side by side know of each other; `Progress` hears how
far a copy is. `stores` is about image layouts as a whole.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import _stores as stores
    from bpfimg.oci._archives._archive import Archive
    from bpfimg.oci._copying._progress import Progress
    from bpfimg.oci._copying._together import Together
    from bpfimg.oci._engines._docker import DockerDaemon
    from bpfimg.oci._engines._engine import Engine
    from bpfimg.oci._http._connections import Connections
    from bpfimg.oci._http._oras import Oras
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._login._accounts import login
    from bpfimg.oci._login._logout import logout
    from bpfimg.oci._settings._environment import registry_options
    from bpfimg.oci._settings._options import RegistryOptions
    from bpfimg.oci._settings._registries import Registries
    from bpfimg.oci._transport import Location

__all__ = [
    "Archive",
    "Connections",
    "DockerDaemon",
    "Engine",
    "Limits",
    "Location",
    "Oras",
    "Progress",
    "Registries",
    "RegistryOptions",
    "Together",
    "login",
    "logout",
    "registry_options",
    "stores",
]

__getattr__ = opened(
    "bpfimg.oci",
    {
        "Archive": "_archives._archive",
        "Connections": "_http._connections",
        "DockerDaemon": "_engines._docker",
        "Engine": "_engines._engine",
        "Limits": "_limits",
        "Location": "_transport",
        "Oras": "_http._oras",
        "Progress": "_copying._progress",
        "Registries": "_settings._registries",
        "RegistryOptions": "_settings._options",
        "Together": "_copying._together",
        "login": "_login._accounts",
        "logout": "_login._logout",
        "registry_options": "_settings._environment",
        "stores": "_stores*",
    },
)

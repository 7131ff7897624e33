"""Where images live beside store, layout and registry, and how to get in.

`RegistryOptions` is everything the caller decides about registries, `Registries` what registries.conf(5) says, `Limits`
how much of what they send is looked at. `Archive` is a tar file of images, `Engine` a running docker or podman. `Batch`
writes many images to one store together.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._archives._archive import Archive
    from bpfimg.oci._copying._progress import Progress
    from bpfimg.oci._copying._together import Together
    from bpfimg.oci._copying._whole import is_whole
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
    from bpfimg.oci._store._batch import Batch
    from bpfimg.oci._store._fsck import Checked, Problem, fsck
    from bpfimg.oci._store._prune import Pruned, prune
    from bpfimg.oci._store._retag import retag
    from bpfimg.oci._store._stored import Stored, listing, measure
    from bpfimg.oci._transport import Location, nameless

__all__ = [
    "Archive",
    "Batch",
    "Checked",
    "Connections",
    "DockerDaemon",
    "Engine",
    "Limits",
    "Location",
    "Oras",
    "Problem",
    "Progress",
    "Pruned",
    "Registries",
    "RegistryOptions",
    "Stored",
    "Together",
    "fsck",
    "is_whole",
    "listing",
    "login",
    "logout",
    "measure",
    "nameless",
    "prune",
    "registry_options",
    "retag",
]

__getattr__ = opened(
    "bpfimg.oci",
    {
        "Archive": "_archives._archive",
        "Batch": "_store._batch",
        "Checked": "_store._fsck",
        "Connections": "_http._connections",
        "DockerDaemon": "_engines._docker",
        "Engine": "_engines._engine",
        "Limits": "_limits",
        "Location": "_transport",
        "Oras": "_http._oras",
        "Problem": "_store._fsck",
        "Progress": "_copying._progress",
        "Pruned": "_store._prune",
        "Registries": "_settings._registries",
        "RegistryOptions": "_settings._options",
        "Stored": "_store._stored",
        "Together": "_copying._together",
        "fsck": "_store._fsck",
        "is_whole": "_copying._whole",
        "listing": "_store._stored",
        "login": "_login._accounts",
        "logout": "_login._logout",
        "measure": "_store._stored",
        "nameless": "_transport",
        "prune": "_store._prune",
        "registry_options": "_settings._environment",
        "retag": "_store._retag",
    },
)

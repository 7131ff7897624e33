"""Where images live beside store, layout and registry, and how to get in.

`RegistryOptions` is everything the caller decides about registries, `Registries` what registries.conf(5) says, `Limits`
how much of what they send is looked at. `Archive` is a tar file of images, `Engine` a running docker or podman. `Batch`
writes many images to one store together.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._accounts import login
    from bpfimg.oci._archive import Archive
    from bpfimg.oci._batch import Batch
    from bpfimg.oci._connections import Connections
    from bpfimg.oci._docker import DockerDaemon
    from bpfimg.oci._engine import Engine
    from bpfimg.oci._environment import registry_options
    from bpfimg.oci._fsck import Checked, Problem, fsck
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._logout import logout
    from bpfimg.oci._options import RegistryOptions
    from bpfimg.oci._oras import Oras
    from bpfimg.oci._progress import Progress
    from bpfimg.oci._prune import Pruned, prune
    from bpfimg.oci._registries import Registries
    from bpfimg.oci._retag import retag
    from bpfimg.oci._stored import Stored, listing, measure
    from bpfimg.oci._together import Together
    from bpfimg.oci._transport import Location, nameless
    from bpfimg.oci._whole import is_whole

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
        "Archive": "_archive",
        "Batch": "_batch",
        "Checked": "_fsck",
        "Connections": "_connections",
        "DockerDaemon": "_docker",
        "Engine": "_engine",
        "Limits": "_limits",
        "Location": "_transport",
        "Oras": "_oras",
        "Problem": "_fsck",
        "Progress": "_progress",
        "Pruned": "_prune",
        "Registries": "_registries",
        "RegistryOptions": "_options",
        "Stored": "_stored",
        "Together": "_together",
        "fsck": "_fsck",
        "is_whole": "_whole",
        "listing": "_stored",
        "login": "_accounts",
        "logout": "_logout",
        "measure": "_stored",
        "nameless": "_transport",
        "prune": "_prune",
        "registry_options": "_environment",
        "retag": "_retag",
    },
)

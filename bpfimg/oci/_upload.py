"""Blobs to a registry: one session, one PUT; a fresh session when that broke."""

from __future__ import annotations

from bpfimg.errors import RegistryError
from bpfimg.oci._answers import Interrupted, finish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._wire import Wire

_WRITE = "pull,push"
_NOT_NOW = frozenset((408, 429, 500, 502, 503, 504))


def upload_blob(wire: Wire, path: str, descriptor: Descriptor, content: bytes) -> None:
    """Stores `content` as a blob of the repository `path`; RegistryError when the registry refuses it."""
    doing = f"push {descriptor.digest} to {wire.host}/{path}"
    patience = wire.patience()
    while True:
        try:
            _upload_once(wire, path, doing, descriptor, content)
        except RegistryError as error:
            # what became of the session nobody knows: leave it to the registry's cleaning, begin another
            passing = isinstance(error, Interrupted) or error.status in _NOT_NOW
            if not passing or not patience.wait(str(error)):
                raise
        else:
            return


def _upload_once(wire: Wire, path: str, doing: str, descriptor: Descriptor, content: bytes) -> None:
    start = f"/v2/{path}/blobs/uploads/"
    begun = wire.request("POST", start, doing, expect=(202,), actions=_WRITE)
    location = begun.headers.get("Location")
    finish(begun)
    if not location:
        raise RegistryError(f"cannot {doing}: the registry names no place to upload to, expected a Location")
    url = wire.join(start, location)
    url += f"{'&' if '?' in url else '?'}digest={descriptor.digest}"
    headers = {"Content-Type": "application/octet-stream"}
    finish(
        wire.request("PUT", url, doing, expect=(201, 204), headers=headers, body=content, actions=_WRITE, again=False),
    )

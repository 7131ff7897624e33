"""Manifests out of a registry (distribution-spec 1.1, 'Deleting Manifests', 'Deleting Tags')."""

from __future__ import annotations

from bpfimg.errors import NotFound, RegistryError
from bpfimg.oci._http._answers import Interrupted, finish
from bpfimg.oci._http._patience import TRY_AGAIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._http._wire import Wire

_DELETE = "pull,push,delete"
_UNSUPPORTED = (400, 405, 501)


def remove_manifest(wire: Wire, selector: str | Digest) -> None:
    """Deletes what a digest or tag names; NotFound when there is none, RegistryError when it cannot be deleted."""
    by_tag = isinstance(selector, str)
    doing = f"remove {wire.host}/{wire.path}{':' if by_tag else '@'}{selector}"
    url = f"/v2/{wire.path}/manifests/{selector}"
    patience = wire.patience()
    unsure = False
    while True:
        try:
            finish(wire.request("DELETE", url, doing, expect=(200, 202, 204), actions=_DELETE, again=False))
            return
        except NotFound:
            if unsure:
                return  # the answer that was lost said that it is gone
            raise
        except RegistryError as error:
            if error.status in _UNSUPPORTED:
                error.hint = _hint(by_tag=by_tag)
                raise
            unsure = isinstance(error, Interrupted) or error.status in TRY_AGAIN
            if not unsure or not patience.wait(str(error)):
                raise


def _hint(*, by_tag: bool) -> str:
    if by_tag:
        return "many registries remove no tag: name the digest (REPOSITORY@sha256:...), all its tags go with it"
    return "whoever runs the registry decides whether anything can be deleted there"

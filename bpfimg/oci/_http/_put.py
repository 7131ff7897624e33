"""Manifests to a registry (distribution-spec 1.1, 'Pushing Manifests')."""

from __future__ import annotations

from bpfimg.errors import RegistryError
from bpfimg.oci._digest import Digest
from bpfimg.oci._http._answers import check_said, finish
from bpfimg.oci._http._upload import WRITE, is_there
from bpfimg.oci._model import Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.oci._http._wire import Wire
    from bpfimg.oci._model import Index

_MOST_AGAIN = 3


def put_manifest(wire: Wire, document: Manifest | Index, selector: str | Digest) -> Mapping[str, str]:
    """Stores a manifest or index under a tag or its digest and returns the headers of the answer.

    NotFound when the registry lacks what it names.
    """
    doing = f"push {wire.host}/{wire.path}{':' if isinstance(selector, str) else '@'}{selector}"
    url = f"/v2/{wire.path}/manifests/{selector}"
    headers = {"Content-Type": document.media_type}
    patience, left = wire.patience(), _MOST_AGAIN
    while True:
        try:
            answer = wire.request(
                "PUT",
                url,
                doing,
                expect=(201, 202),
                headers=headers,
                body=document.raw,
                actions=WRITE,
                patience=patience,
            )
        except RegistryError as error:
            if not left or not _passing(wire, document, error, doing) or not patience.wait(str(error)):
                raise
            left -= 1
        else:
            finish(answer)
            check_said(wire.host, Digest.of(document.raw), answer.headers)
            return answer.headers


def _passing(wire: Wire, document: Manifest | Index, error: RegistryError, doing: str) -> bool:
    """Says whether a refusal is a slip: docker-registry 2.8 writes its lists of blobs in place, so while another
    client pushes a blob that is there already, it is not, and a digest that it reads is empty."""
    if error.code == "DIGEST_INVALID":
        return True  # what is pushed was checked
    if error.code not in ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN") or not isinstance(document, Manifest):
        return False
    return all(is_there(wire, part, doing) for part in document.parts)

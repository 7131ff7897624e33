"""Where cosign keeps signatures of a digest: under a tag, all of them as layers of one manifest."""

from __future__ import annotations

from bpfimg.oci._descriptor import Descriptor
from bpfimg.oci._json import canonical
from bpfimg.oci._media import OCI_CONFIG
from bpfimg.oci._model import Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._digest import Digest

TAG_ENDINGS = (".sig", ".att")
"""Those of cosign's tags that go along with an image; cosign itself has given up `.sbom`."""
_BEGINNING = "0001-01-01T00:00:00Z"


def merge(there: Manifest, new: Manifest) -> tuple[Manifest, bytes]:
    """Returns a manifest with the signatures of both, and its config.

    It is `there` or `new` itself when that one holds all of them (the config is then b"": it exists already).
    """
    known = {_key(layer) for layer in there.layers}
    added = [layer for layer in new.layers if _key(layer) not in known]
    if not added:
        return there, b""
    if known <= {_key(layer) for layer in new.layers}:
        return new, b""
    layers = [*there.layers, *added]
    config = _config([layer.digest for layer in layers])
    annotations = {**there.annotations, **new.annotations}
    descriptor = Descriptor.of(config, OCI_CONFIG)
    return Manifest.build(config=descriptor, layers=layers, annotations=annotations), config


def _key(layer: Descriptor) -> tuple[Digest, tuple[tuple[str, str], ...]]:
    return layer.digest, tuple(sorted(layer.annotations.items()))


def _config(layers: list[Digest]) -> bytes:
    """Returns the config that cosign writes: an image of nothing, made at the beginning of time."""
    return canonical(
        {
            "architecture": "",
            "created": _BEGINNING,
            "history": [{"created": _BEGINNING} for _ in layers],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [str(layer) for layer in layers]},
            "config": {},
        },
    )

"""Media types: what an image is made of, and what others' artifacts are, so that they are read or refused by name."""

from __future__ import annotations

from bpfimg.errors import quoted
from bpfimg.image._limits import broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import Manifest

__all__ = ["ARTIFACT", "CONFIG", "EMPTY", "LAYER", "TITLE", "check_layer", "compression", "variant_of"]

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
TITLE = "org.opencontainers.image.title"
"""The annotation of a layer that names the file; `oras pull` writes it under that name."""

CONFIGS = (CONFIG, "application/vnd.docker.container.image.v1+json")
#: how the archive is compressed: "" for not at all
LAYERS = {
    LAYER: "gzip",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "gzip",
    "application/vnd.oci.image.layer.v1.tar": "",
    "application/vnd.docker.image.rootfs.diff.tar": "",
    "application/vnd.oci.image.layer.v1.tar+zstd": "zstd",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "zstd",
}
#: the artifact variant: what it is -> (the type that is written, the neutral one that is read as the same)
ARTIFACT = {
    "artifact": ("application/vnd.bpfimg.bytecode.v1", "application/vnd.ebpf.bytecode.v1"),
    "config": ("application/vnd.bpfimg.bytecode.config.v1+json", "application/vnd.ebpf.bytecode.config.v1+json"),
    "object": ("application/vnd.bpfimg.bytecode.object.v1", "application/vnd.ebpf.bytecode.object.v1"),
    "btf": ("application/vnd.bpfimg.btf.v1.tar+gzip", "application/vnd.ebpf.btf.v1.tar+gzip"),
}
#: peers whose artifacts hold a bare object: how all their types begin, the type of the object's layer, in words, rule
PEERS = {
    "gadget": (
        "application/vnd.gadget.",
        "application/vnd.gadget.ebpf.program.v1+binary",
        "an Inspektor Gadget artifact",
        "BI-55",
    ),
    "bee": (
        "application/ebpf.oci.image.",
        "application/ebpf.oci.image.program.v1+binary",
        "a bumblebee (bee) artifact",
        "BI-56",
    ),
}
FOREIGN = (
    ("application/vnd.bpfimg.", "bytecode in a form that is newer than this program"),
    ("application/vnd.ebpf.", "bytecode in a form that is newer than this program"),
    ("application/vnd.wasm.", "a WebAssembly module, as eunomia-bpf makes them, with the object inside its code"),
    ("application/wasm", "a WebAssembly module"),
    ("application/vnd.cncf.helm.", "a Helm chart"),
    ("application/vnd.dev.cosign.", "a cosign signature"),
    ("application/vnd.dev.sigstore.", "a Sigstore bundle"),
    ("application/vnd.in-toto", "an attestation"),
    ("application/vnd.cyclonedx", "a bill of materials"),
    ("application/spdx", "a bill of materials"),
)
HINT = "readable are ordinary images with an object, artifacts of bpfimg, gadgets with eBPF programs, and bee's"


def variant_of(manifest: Manifest) -> str:
    """ "image", "artifact", "gadget" or "bee": by artifact type, then config type, then the layers' types (BI-52).

    Raises ImageError (BI-3) that names what it is instead.
    """
    config = manifest.config.media_type
    for kind in (manifest.artifact_type or "", config):
        if kind in CONFIGS:
            return "image"
        if found := _artifact(kind):
            return found
    for layer in manifest.layers:
        if found := _artifact(layer.media_type):
            return found
    what, expected = quoted(manifest.artifact_type or config), f"expected {CONFIG} or Docker's"
    if config == EMPTY:
        raise broken("BI-3", f"this is an artifact that is no image ({what}), expected a bytecode image", hint=HINT)
    raise broken("BI-3", f"the config has the media type {quoted(config)}, {expected}", hint=HINT)


def _artifact(kind: str) -> str:
    """The variant that a type stands for, "" for a type that says nothing here; BI-3 for what is something else."""
    if any(kind in column for column in ARTIFACT.values()):
        return "artifact"
    for variant, (prefix, *_) in PEERS.items():
        if kind.startswith(prefix):
            return variant
    for prefix, words in FOREIGN:
        if kind.startswith(prefix):
            raise broken("BI-3", f"this is {words} ({quoted(kind)}), expected a bytecode image", hint=HINT)
    return ""


def check_layer(layer_type: str) -> None:
    """ImageError (BI-4) unless this is a layer type that can be read here."""
    if layer_type in LAYERS:
        return
    raise broken("BI-4", f"the layer has the media type {quoted(layer_type)}, expected {LAYER} or one of its kin")


def compression(layer_type: str) -> str:
    """ "gzip", "zstd", or "" for a layer that is a plain tar archive."""
    return LAYERS[layer_type]

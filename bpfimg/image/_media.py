"""Media types: what an image is made of, and what others' artifacts are, so that a refusal can name them."""

from __future__ import annotations

from bpfimg.errors import quoted
from bpfimg.image._limits import broken

__all__ = ["CONFIG", "LAYER", "check_config", "check_layer", "is_gzip"]

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

CONFIGS = (CONFIG, "application/vnd.docker.container.image.v1+json")
LAYERS = {
    LAYER: True,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": True,
    "application/vnd.oci.image.layer.v1.tar": False,
    "application/vnd.docker.image.rootfs.diff.tar": False,
}
FOREIGN = (
    ("application/vnd.gadget.", "an Inspektor Gadget artifact"),
    ("application/ebpf.oci.image.", "a bumblebee (bee) artifact"),
    ("application/vnd.wasm.", "a WebAssembly module, as eunomia-bpf makes them"),
    ("application/vnd.cncf.helm.", "a Helm chart"),
    ("application/vnd.dev.cosign.", "a cosign signature"),
    ("application/vnd.dev.sigstore.", "a Sigstore bundle"),
    ("application/vnd.oci.empty.", "an artifact that is no image"),
)


def check_config(config_type: str, artifact_type: str | None) -> None:
    """ImageError (BI-3) unless this is the config type of an ordinary image."""
    if config_type in CONFIGS:
        return
    for kind in (artifact_type or "", config_type):
        for prefix, words in FOREIGN:
            if kind.startswith(prefix):
                raise broken("BI-3", f"this is {words} ({kind}), expected a bytecode image")
    raise broken("BI-3", f"the config has the media type {quoted(config_type)}, expected {CONFIG} or Docker's")


def check_layer(layer_type: str) -> None:
    """ImageError (BI-4) unless this is a layer type that can be read here."""
    if layer_type in LAYERS:
        return
    if "zstd" in layer_type:
        hint = "build the image again with gzip (the default of docker and podman); bpfman reads no zstd either"
        raise broken("BI-4", f"the layer is compressed with zstd ({quoted(layer_type)}), expected gzip", hint=hint)
    raise broken("BI-4", f"the layer has the media type {quoted(layer_type)}, expected {LAYER} or one of its kin")


def is_gzip(layer_type: str) -> bool:
    """False for a layer that is a plain tar archive."""
    return LAYERS[layer_type]

"""From the manifest of an artifact to a `BytecodeImage`: ours, an Inspektor Gadget's, a bee's."""

from __future__ import annotations

from bpfimg.errors import quoted
from bpfimg.image import _media
from bpfimg.image._document import is_file_name, read_document
from bpfimg.image._image import BytecodeImage, order_of
from bpfimg.image._labels import LABEL_MAPS, LABEL_PROGRAMS, Labels
from bpfimg.image._limits import broken
from bpfimg.image._machines import byte_order
from bpfimg.oci import Digest, Platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.image._found import Found
    from bpfimg.oci import Descriptor, Manifest

__all__ = ["fetched_artifact", "fetched_peer"]


def fetched_artifact(found: Found) -> BytecodeImage:
    """The image in an artifact by this spec; the config document says what the object is called and for whom."""
    manifest, limits = found.manifest, found.limits
    layer = _one(manifest, _media.ARTIFACT["object"], "a bytecode artifact", "BI-52")
    document = read_document(found.fetch(_config(manifest), limits.config, "config document"), layer, limits)
    found.check_slot(document.platform)
    kept = {name: text for name, text in manifest.annotations.items() if name not in (LABEL_PROGRAMS, LABEL_MAPS)}
    return BytecodeImage(
        bytecode=_object(found, layer),
        labels=Labels.from_labels(manifest.annotations, limits=limits),
        platform=document.platform,
        file_name=document.file_name,
        created=document.created,
        annotations=kept,
        descriptor=manifest.descriptor,
        description=document.description,
        variant="artifact",
    )


def fetched_peer(found: Found, variant: str) -> BytecodeImage:
    """The image in a peer's artifact: an object, and nothing in it that says for which machine (BI-55, BI-56).

    The platform is that under which an index lists it, else the one that it is wanted for, else this machine's or, in
    the other byte order, the usual one that has it.
    """
    _, kind, words, rule = _media.PEERS[variant]
    layer = _one(found.manifest, (kind,), words, rule)
    bytecode = _object(found, layer)
    return BytecodeImage(
        bytecode=bytecode,
        labels=Labels(generation="none"),
        platform=(found.slot if variant == "gadget" else None) or found.platform or _fitting(bytecode),
        file_name=_title(layer),
        created="",
        annotations=found.manifest.annotations,
        descriptor=found.manifest.descriptor,
        variant=variant,
    )


def _config(manifest: Manifest) -> Descriptor:
    """Where the document is: the config itself, or the last layer beside an empty config (BI-51)."""
    kinds = _media.ARTIFACT["config"]
    among = [layer for layer in manifest.layers if layer.media_type in kinds]
    if manifest.config.media_type in kinds and not among:
        return manifest.config
    if manifest.config.media_type == _media.EMPTY and len(among) == 1 and among[0] is manifest.layers[-1]:
        if manifest.config.digest != Digest.of(b"{}"):
            what = f"the empty config is {manifest.config.digest}, expected that of {{}}: it hides something"
            raise broken("BI-51", what)
        return among[0]
    where = f"{quoted(manifest.config.media_type)} as its config and {len(among)} documents among its layers"
    raise broken("BI-51", f"the artifact has {where}, expected one {kinds[0]}: the config, or the last layer")


def _one(manifest: Manifest, kinds: tuple[str, ...], words: str, rule: str) -> Descriptor:
    """The only layer of these types, wherever it stands."""
    found = [layer for layer in manifest.layers if layer.media_type in kinds]
    if len(found) == 1:
        return found[0]
    there = quoted(", ".join(layer.media_type for layer in manifest.layers) or "no layer", 300)
    wasm = any("wasm" in layer.media_type for layer in manifest.layers)
    hint = "it is WebAssembly alone: the eBPF object, if there is any, is inside that module" if wasm else ""
    raise broken(rule, f"this is {words} with {len(found)} eBPF objects ({there}), expected one {kinds[0]}", hint=hint)


def _object(found: Found, layer: Descriptor) -> bytes:
    bytecode = found.fetch(layer, found.limits.object, "object")
    found.check_byte_order(bytecode)
    return bytecode


def _fitting(bytecode: bytes) -> Platform:
    """A machine that can load it, this one if it can."""
    order, here = order_of(bytecode), Platform.host()
    return here if byte_order(here) == order else Platform("linux", "amd64" if order == "little" else "s390x")


def _title(layer: Descriptor) -> str:
    name = layer.annotations.get(_media.TITLE, "").rpartition("/")[2]
    return name if is_file_name(name) else "program.o"

"""One bytecode image as a value: an object, its labels and its platform, joined and checked against each other."""

from __future__ import annotations

from bpfimg._value import field, value
from bpfimg.bytecode import check_header
from bpfimg.errors import BytecodeError
from bpfimg.image._description import Description
from bpfimg.image._limits import BPFMAN_LIMIT, DEFAULT, broken
from bpfimg.image._machines import byte_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.bytecode import BytecodeObject, Dissection
    from bpfimg.image._check import Finding
    from bpfimg.image._labels import Labels
    from bpfimg.image._limits import Limits
    from bpfimg.image._pack import Packed
    from bpfimg.oci import Descriptor, Platform, Source

__all__ = ["BytecodeImage"]


@value(frozen=True, slots=True)
class BytecodeImage:
    """An eBPF object with what an image says about it.

    `file_name` is the object's name in the layer; `created` is RFC 3339 text as in the config ("" when a foreign
    image has none); `extra_labels` are the config's other labels, `annotations` the manifest's. `descriptor` is that
    of the manifest which the image was read from, None for one that was made here. `description` is what the image
    states of its object in detail, empty where it states nothing.

    `variant` is "image" (an ordinary container image) or "artifact"; one that was read may also be a peer's: "gadget"
    or "bee". To convert, replace it: the object and what is said about it stay, the digest does not.

    Raises ImageError (BI-25) for an object whose byte order its platform cannot have, BytecodeError (BI-16) for
    bytes that are no eBPF object.
    """

    bytecode: bytes = field(repr=False)
    labels: Labels
    platform: Platform
    file_name: str
    created: str = "1970-01-01T00:00:00Z"
    extra_labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    descriptor: Descriptor | None = None
    description: Description = Description()
    variant: str = "image"

    def __post_init__(self) -> None:
        check_byte_order(self.bytecode, self.platform)

    @property
    def object(self) -> BytecodeObject:
        """The object, parsed now and on every call; BytecodeError when it cannot be."""
        from bpfimg.bytecode import parse

        return parse(self.bytecode)

    def check(self, wanted: Platform | None = None, *, dissection: Dissection | None = None) -> tuple[Finding, ...]:
        """What the image says that its object does not bear out (BI-22, BI-23, BI-47), and what peers refuse (BI-36).

        With the platform that it is `wanted` for, also that it was made for another one (BI-26). Empty when all is
        well. The object decides what is loaded; these are for a person to read. A `dissection` of the object saves
        another look.
        """
        from bpfimg.image._check import findings

        return findings(self, wanted, dissection)

    def made_elsewhere(self, wanted: Platform) -> str:
        """What to say when the image was made for another CPU than `wanted` (BI-26), "" when it was not.

        Compares two words and parses nothing: for those who load.
        """
        if self.platform.architecture == wanted.architecture:
            return ""
        which = "programs that read registers (kprobe, uprobe, syscall wrappers) may read the wrong ones"
        return f"the image was made for {self.platform}, this machine is {wanted}: {which}"

    def too_large(self) -> str:
        """What to say when bpfman does not take an object of this size (BI-36), "" when it does. Parses nothing."""
        size = len(self.bytecode)
        return f"the object has {size} bytes, bpfman takes at most {BPFMAN_LIMIT}" if size > BPFMAN_LIMIT else ""

    @property
    def artifact_type(self) -> str | None:
        """What the manifest states as `artifactType`, and an index of such manifests too; None for ordinary images."""
        from bpfimg.image._media import ARTIFACT

        return ARTIFACT["artifact"][0] if self.variant == "artifact" else None

    def pack(self, *, empty_config: bool = False) -> Packed:
        """The image as manifest and blobs; the same value gives the same bytes anywhere and at any time (BI-31).

        `empty_config` puts the document of an artifact into a layer, for registries that refuse its type as a config
        (BI-51). UsageError for a variant that is only read.
        """
        from bpfimg.image._pack import packed

        return packed(self, empty_config=empty_config)

    @staticmethod
    def fetch(
        source: Source,
        descriptor: Descriptor,
        platform: Platform | None,
        *,
        limits: Limits = DEFAULT,
        object_name: str | None = None,
    ) -> BytecodeImage:
        """The image that `descriptor` (a manifest, or an index with one for `platform`) names in `source`.

        With None a manifest is read whichever machine it is for: to be looked at, not to be loaded.

        Everything is read by digest and within `limits`. Raises ImageError with the number of the rule that the
        image breaks, DigestMismatch and NotFound as the source does, BytecodeError for an object that is none.
        `object_name` chooses one of several objects in a layer.
        """
        from bpfimg.image._fetch import fetched

        return fetched(source, descriptor, platform, limits, object_name)

    @staticmethod
    def platforms(source: Source, descriptor: Descriptor, *, limits: Limits = DEFAULT) -> tuple[Platform, ...]:
        """Those of an index, in its order and each once; none for a manifest.

        Entries for the system `unknown` are left out: they are BuildKit's attestations.
        """
        from bpfimg.image._fetch import platforms

        return platforms(source, descriptor, limits)


def check_byte_order(bytecode: bytes, platform: Platform) -> None:
    """ImageError (BI-25) unless a machine of `platform` can load `bytecode`; BytecodeError for what is no object."""
    have = order_of(bytecode)
    want = byte_order(platform)
    if want is None:
        raise broken(
            "BI-24", f"{platform} is no platform that eBPF objects are for, expected linux/ARCH, ARCH as in Go"
        )
    if have != want:
        raise broken("BI-25", f"the object is {have}-endian, {platform} is {want}-endian")


def order_of(bytecode: bytes) -> str:
    """Its byte order, "little" or "big"; BytecodeError, with the rule, for what is no object (BI-16)."""
    try:
        return check_header(bytecode)
    except BytecodeError as error:
        raise BytecodeError(f"{error} (BI-16)", hint=error.hint) from error

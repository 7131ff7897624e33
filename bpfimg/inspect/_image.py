"""What an image says, and whether its object bears it out: for any platform of it."""

from __future__ import annotations

from bpfimg._value import replace, value
from bpfimg.errors import ImageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode import Dissection
    from bpfimg.image import BytecodeImage, Finding
    from bpfimg.oci import Descriptor, Platform, Source

_STATED = ("image", "artifact")  # variants that say more of themselves than their object does


@value(frozen=True, slots=True)
class Seen:
    """One image that was looked at: `platforms` are those of the index it came from, its own alone without one.

    `findings` say where its labels disagree with its object, and that a lone image was made for another CPU.
    """

    image: BytecodeImage
    dissection: Dissection
    platforms: tuple[Platform, ...]
    findings: tuple[Finding, ...]

    def head(self) -> dict[str, object]:
        """What the image says, as JSON-able values; the object is `report`'s."""
        image = self.image
        stated = {**image.labels.to_dict(), **image.extra_labels, **image.description.to_labels()}
        return {
            "platform": str(image.platform),
            "platforms": [str(platform) for platform in self.platforms],
            "manifest": str(image.descriptor.digest) if image.descriptor else None,
            "variant": image.variant,
            "file": image.file_name,
            "created": image.created or None,
            "labels": stated if image.variant in _STATED else {},
            "annotations": dict(image.annotations),
            "findings": [
                {"rule": found.rule, "about": found.about, "message": found.message} for found in self.findings
            ],
        }


def image(source: Source, descriptor: Descriptor, wanted: Platform | None, here: Platform) -> Seen:
    """The image for the `wanted` platform; without one, that for `here`, else the first that there is.

    Raises ImageError, naming the platforms that there are, where the wanted one is none of them; and as
    `BytecodeImage.fetch` does.
    """
    from bpfimg.image import BytecodeImage

    there = BytecodeImage.platforms(source, descriptor)
    if there:
        chosen = wanted or (here if any(_alike(each, here) for each in there) else there[0])
        found = BytecodeImage.fetch(source, descriptor, chosen)
    else:
        found = BytecodeImage.fetch(source, descriptor, None)
        if wanted is not None and found.variant not in _STATED:  # a peer's artifact does not say whom it is for
            found = replace(found, platform=wanted)
        if wanted is not None and not _alike(found.platform, wanted):
            raise ImageError(f"the image is for {found.platform} alone, expected one for {wanted}")
        return _seen(found, (found.platform,), wanted or here)
    return _seen(found, there, None)


def _seen(found: BytecodeImage, there: tuple[Platform, ...], machine: Platform | None) -> Seen:
    from bpfimg.bytecode import dissect

    dissection = dissect(found.bytecode)
    return Seen(found, dissection, there, found.check(machine, dissection=dissection))


def _alike(one: Platform, other: Platform) -> bool:
    return (one.os, one.architecture) == (other.os, other.architecture)

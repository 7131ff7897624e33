"""From the proof that an image is believed to the image: whatever is loaded comes this way."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.image import BytecodeImage
    from bpfimg.oci import Platform, Source
    from bpfimg.sign import VerifiedImage


def proven(
    source: Source, verified: VerifiedImage, platform: Platform | None, warn: Callable[[str], None]
) -> BytecodeImage:
    """Returns the image that was verified, read by its digest; TypeError for what is no proof.

    `warn` is told when it was made for another platform than that one, this machine's unless given (BI-26).
    """
    from bpfimg.image import BytecodeImage
    from bpfimg.oci import Platform
    from bpfimg.sign import VerifiedImage

    if not isinstance(verified, VerifiedImage):
        raise TypeError(f"a {type(verified).__name__} is no proof that an image is believed, expected a VerifiedImage")
    machine = platform or Platform.host()
    fetched = BytecodeImage.fetch(source, verified.descriptor, machine)
    if sentence := fetched.made_elsewhere(machine):
        warn(f"{sentence} (BI-26)")
    return fetched

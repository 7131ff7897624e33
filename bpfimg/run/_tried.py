"""A believed image, tried in the kernel that runs: each of its programs, and nothing of it stays."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpfimg.image import BytecodeImage
    from bpfimg.load import trial
    from bpfimg.oci import Platform, Source
    from bpfimg.sign import VerifiedImage


def tried(
    source: Source,
    verified: VerifiedImage,
    *,
    programs: Sequence[str] = (),
    platform: Platform | None = None,
    say: Callable[[str], None] = lambda program: None,
    warn: Callable[[str], None] = lambda sentence: None,
) -> tuple[BytecodeImage, tuple[trial.Tried, ...]]:
    """Returns the image that was verified, and what the kernel says of its programs (only those named, if any are).

    `say` hears which program is next; `warn` is told when the image was made for another machine (BI-26). Raises as
    `load.trial.each` does.
    """
    from bpfimg.load import trial
    from bpfimg.run._proven import proven

    fetched = proven(source, verified, platform, warn)
    return fetched, trial.each(fetched.bytecode, name="object", programs=programs, say=say)

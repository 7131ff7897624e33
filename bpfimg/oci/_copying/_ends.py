"""The two ends of one copy, and what its parts have in common."""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._copying._ahead import Ahead
    from bpfimg.oci._copying._crew import Crew
    from bpfimg.oci._copying._progress import Progress
    from bpfimg.oci._copying._together import Together
    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._target import Target


@value(frozen=True, slots=True)
class Ends:
    """From where to where, within which bounds, and who watches. `writers` are the threads that write.

    `together` is shared with other copies to the same registry."""

    source: Ahead
    target: Target
    writers: Crew
    limits: Limits
    progress: Progress
    together: Together


class Unwatched:
    """The `Progress` of a copy that nobody watches."""

    def expect(self, descriptor: Descriptor) -> None:
        pass

    def moved(self, descriptor: Descriptor, count: int) -> None:
        pass

    def done(self, descriptor: Descriptor, how: str) -> None:
        pass

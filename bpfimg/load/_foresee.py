"""What an attachment would be, said before it is made: nothing is changed."""

from __future__ import annotations

from bpfimg.errors import KernelError
from bpfimg.load._attach import Scene, family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._hooks import Hook
    from bpfimg.load._host import Host


def foresee(hook: Hook, host: Host) -> str:
    """Says in words how it would be: "second of 3 in the chain"; "" where that cannot be known before.

    Raises AttachError, Busy or NotSupported where the hook is taken or absent.
    """
    file = family(hook.word)
    file.check(hook)
    look = getattr(file, "foresee", None)
    return "" if look is None else str(look(hook, _scene(host)))


def _scene(host: Host) -> Scene:
    try:
        return Scene.of(host)
    except KernelError:
        return Scene(host.tc, (), host=host)  # no bpffs, or not for us: then nothing is ours

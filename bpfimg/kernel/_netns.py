"""Network namespaces: a function runs inside one, in a thread of its own; the caller never moves."""

from __future__ import annotations

import os

from bpfimg.errors import AttachError, KernelError
from bpfimg.kernel import _abi as abi
from bpfimg.kernel._fd import Fd
from bpfimg.kernel._syscall import setns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")

NAMED = "/var/run/netns"  # where ip-netns(8) keeps its names


def path_of(name: str | None) -> str:
    """Returns the file of a namespace: a path as it is, a bare name below /var/run/netns, None for our own."""
    if name is None:
        return "/proc/thread-self/ns/net"
    return name if "/" in name else f"{NAMED}/{name}"


def inode(name: str | None) -> int:
    """Returns the number that identifies a namespace; AttachError when there is none of that name."""
    try:
        return os.stat(path_of(name)).st_ino
    except OSError as error:
        raise _missing(name, error) from error


def call(name: str | None, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Returns `function(*args, **kwargs)`, run inside the namespace `name` (None: where the caller is).

    What it raises is raised here. Descriptors that it opens belong to the whole process, and stay usable.
    """
    if name is None:
        return function(*args, **kwargs)
    from threading import Event, Thread

    fd = _opened(name)
    results: list[T] = []
    kept, done = _Kept(), Event()
    turn = ["go in, or call it off"]  # whoever pops it decides: one step that no signal divides

    def inside() -> None:
        if not _taken(turn):
            return
        with kept:
            _enter(name, fd)
            results.append(function(*args, **kwargs))
        done.set()

    try:
        # The thread ends with the call, so nothing else ever runs in the namespace that it moved to.
        thread = Thread(target=inside, name="bpfimg-netns", daemon=True)
        try:
            thread.start()
            thread.join()
        except KeyboardInterrupt:
            if not _taken(turn):
                done.wait()  # else it goes on in there while the caller undoes what it does
            raise
    finally:
        os.close(fd)
    kept.raise_again()
    return results[0]


def opened(name: str | None) -> Fd:
    """Opens a namespace, for links that take its descriptor; AttachError when there is none of that name."""
    return Fd(_opened(name))


class _Kept:
    """Carries whatever ends a thread's work over to another thread."""

    __slots__ = ("_error",)

    def __init__(self) -> None:
        self._error: BaseException | None = None

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        self._error = error
        return True

    def raise_again(self) -> None:
        error, self._error = self._error, None  # forgotten here, or traceback and frame would hold each other
        if error is not None:
            try:
                raise error
            finally:
                del error


def _taken(turn: list[str]) -> bool:
    try:
        turn.pop()
    except IndexError:
        return False
    return True


def _opened(name: str | None) -> int:
    try:
        # What /proc/PID/fd/N leads to is another process's choice, until it is open: a FIFO would keep us waiting.
        return os.open(path_of(name), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise _missing(name, error) from error


def _enter(name: str, fd: int) -> None:
    result = setns(fd, abi.CLONE_NEWNET)
    if result == 0:
        return
    from bpfimg.kernel._failure import permission_hint, reason

    if result == -22:
        raise AttachError(f"{path_of(name)} is not a network namespace")
    hint = permission_hint(("CAP_SYS_ADMIN",), "entering a network namespace") if result == -1 else ""
    raise KernelError(f"cannot enter network namespace {name}: {reason(-result)}", errno=-result, hint=hint)


def _missing(name: str | None, error: OSError) -> AttachError | KernelError:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        from bpfimg.kernel._failure import reason

        number = error.errno or 0
        return KernelError(f"cannot open network namespace {name}: {reason(number)}", errno=number)
    try:
        names = sorted(os.listdir(NAMED))
    except OSError:
        names = []
    hint = (
        f"ip netns has: {', '.join(names[:8])}" if names else "ip netns list shows the named ones; a path is fine too"
    )
    looked = "" if name == path_of(name) else f" ({path_of(name)} does not exist)"
    return AttachError(f"no network namespace {name}{looked}", hint=hint)

"""Which of the two ways a chain is built, and building it: one descriptor for the hook, and what its guard pins."""

from __future__ import annotations

import errno
from contextlib import ExitStack, contextmanager

from bpfimg._value import value
from bpfimg.dispatcher._alone import alone
from bpfimg.dispatcher._guard import DISPATCHER
from bpfimg.dispatcher._raced import Raced
from bpfimg.dispatcher._sources import programs, sources
from bpfimg.errors import AttachError, KernelError
from bpfimg.kernel import bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.dispatcher._model import Chain, Spot
    from bpfimg.dispatcher._plan import Plan
    from bpfimg.dispatcher._read import Seen
    from bpfimg.dispatcher._sources import Newcomer
    from bpfimg.kernel import Fd
    from bpfimg.load import Host

#: hook or way -> the verdict behind the last member: XDP_PASS; TC_ACT_UNSPEC, so that TCX programs and filters behind
#: ours run; TC_ACT_OK, as bpfman's dispatchers on clsact have it
_END = {"netlink": 2, "tcx": -1, "clsact": 0}


@value(frozen=True, slots=True)
class Built:
    """A program for the hook: `id` is its kernel id; `slots` are (link, program) of a freplace dispatcher."""

    program: Fd | int
    id: int
    builder: str
    protocol: int = 0
    slots: Sequence[tuple[Fd | int, Fd | int]] = ()
    inlined: tuple[bool, ...] = ()


def kind(spot: Spot, chain: Chain | None, asked: str) -> str:
    """`freplace` or `fused`: as the chain is that is there, else as asked, else what the kernel takes.

    AttachError: another one was asked for than is there.
    """
    if chain is not None:
        there = "freplace" if chain.builder == "freplace" else "fused"
        if asked not in ("auto", there):
            raise AttachError(
                f"the chain on {spot.words} is {'a freplace' if there == 'freplace' else 'a fused'} one, expected"
                f" --dispatcher {there} or auto for it, not {asked}",
                hint="all its programs have to be detached before the other kind can be built",
            )
        return there
    return asked if asked != "auto" else "freplace" if bpf.takes_extensions() else "fused"


@value(frozen=True, slots=True)
class Job:
    """What is to be built: a plan, for a hook as it was seen, in one of the ways onto it."""

    host: Host
    seen: Seen
    plan: Plan
    way: str
    newcomer: Newcomer | None = None


@contextmanager
def built(job: Job, kind: str, protocol: int) -> Iterator[Built]:
    """A program that runs the plan, loaded and on no hook yet; what is not pinned meanwhile goes with the `with`."""
    with ExitStack() as stack:
        yield _freplace(stack, job, protocol) if kind == "freplace" else _fused(stack, job)


def _freplace(stack: ExitStack, job: Job, protocol: int) -> Built:
    from bpfimg.dispatcher import _freplace as builder

    plan = job.plan
    parts = programs(stack, job.host, job.seen, plan, job.newcomer)
    made = stack.enter_context(builder.build(plan, parts, protocol=protocol, end=_END[job.way]))
    slots = [(link, parts[member.program]) for link, member in zip(made.links, plan.members, strict=True)]
    return Built(made.dispatcher, made.id, "freplace", protocol, slots)


def _fused(stack: ExitStack, job: Job) -> Built:
    plan, end = job.plan, _END[job.way]
    if len(plan) == 1 and plan.hook == "xdp" and alone(plan.hook, plan.members[0], end):
        [(number, program)] = programs(stack, job.host, job.seen, plan, job.newcomer).items()
        return Built(program, number, "direct")
    from bpfimg.dispatcher import _fused as builder

    parts = sources(stack, job.host, job.seen, plan, job.newcomer)
    made = stack.enter_context(builder.build(plan, parts, end=end))
    return Built(made.dispatcher, made.id, "fused", inlined=made.inlined)


def opened(seen: Seen) -> Fd:
    """The program that a hook runs, for an exchange that expects it."""
    if seen.guard is not None:
        try:
            return bpf.get(f"{seen.guard.path}/{DISPATCHER}")
        except KernelError:
            pass  # of a chain that others have put together
    try:
        return bpf.program_by_id(seen.running)
    except KernelError as error:
        if error.errno != errno.ENOENT:
            raise
        raise Raced(f"program {seen.running} of {seen.spot.words} has gone", errno=errno.ENOENT) from error

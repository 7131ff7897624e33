"""Building a fused dispatcher: one program that contains its members, for kernels that refuse freplace, or on request.

The members' maps are the same before and after: the program is loaded with descriptors of those that are there. It is
one program for the kernel, so what each member may do alone, all together must: `_unfusable` says why not.
"""

from __future__ import annotations

import sys

from bpfimg.errors import KernelError
from bpfimg.kernel import bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from bpfimg.dispatcher._assemble import Assembled, Part
    from bpfimg.dispatcher._merge import Merged
    from bpfimg.dispatcher._model import Source
    from bpfimg.dispatcher._plan import Plan
    from bpfimg.dispatcher._unfusable import About
    from bpfimg.kernel import Fd

NAMES = {"xdp": "bpfimg_xdp", "tc": "bpfimg_tc"}


class Built:
    """A program that runs a plan, loaded and not attached; closed when its `with` ends.

    `inlined` says of each member, in the order of the plan, whether it stands in the main function or is called.
    """

    def __init__(self, dispatcher: Fd, inlined: tuple[bool, ...]) -> None:
        self.dispatcher, self.inlined = dispatcher, inlined
        try:
            self.id = bpf.program_info(dispatcher, memlock=False).id
        except KernelError:
            dispatcher.close()
            raise

    def __enter__(self) -> Built:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the descriptor; what is neither attached nor pinned leaves the kernel."""
        self.dispatcher.close()


def build(plan: Plan, sources: Mapping[int, Source], *, end: int, inline: bool = True) -> Built:
    """Loads one program that runs the members of the plan in order; `sources` are by the members' program ids.

    `end` is its result when the last member lets the chain go on. With `inline` members stand in its main function
    where they can; when the verifier will not have that, all are called. NotSupported: a member cannot be in one
    program with the others. VerifierError: the verifier takes each alone, but not all.
    """
    from bpfimg.dispatcher import _unfusable
    from bpfimg.dispatcher._assemble import Part, assemble

    found = [sources[member.program] for member in plan.members]
    parts = [
        Part(source.code, member.proceed_on, f"{member.name}, priority {member.priority}")
        for member, source in zip(plan.members, found, strict=True)
    ]
    _unfusable.check(parts)
    for way in (True, False) if inline else (False,):
        made = assemble(plan.hook, parts, end, inline=way)
        about = _unfusable.About(made, [source.btf for source in found])
        try:
            return Built(_loaded(plan.hook, made, parts, found, about), made.inlined)
        except KernelError as error:
            if not any(made.inlined):
                raise _unfusable.refused(plan.hook, parts, made, error) from error
    raise AssertionError("with calls it is loaded or refused")


def _loaded(hook: str, made: Assembled, parts: Sequence[Part], sources: Sequence[Source], about: About) -> Fd:
    from bpfimg.dispatcher._together import ATTACH_TYPES, TYPES, flags_of, license_of

    name = NAMES[hook]
    codes = [part.code for part in parts]
    types, btf = _types(hook, made, parts, sources)
    with btf:
        program = bpf.Program(
            type=TYPES[hook],
            code=_with_maps(made, sources),
            name=name,
            license=license_of(codes),
            attach_type=ATTACH_TYPES[hook],
            flags=flags_of(codes),
            btf=btf,
            functions=types.functions,
            lines=types.lines,
        )
        return bpf.prog_load(program, about)


def _types(hook: str, made: Assembled, parts: Sequence[Part], sources: Sequence[Source]) -> tuple[Merged, Fd]:
    """The types of all, and those in the kernel. Where it does not take what the members bring (libbpf leaves out what
    an older kernel does not know), they go without."""
    from bpfimg.dispatcher._merge import merge

    found = merge(hook, NAMES[hook], made, parts, [source.btf for source in sources])
    try:
        return found, bpf.btf_load(found.btf)
    except KernelError:
        bare = merge(hook, NAMES[hook], made, parts, [b""] * len(parts))
        return bare, bpf.btf_load(bare.btf)


def _with_maps(made: Assembled, sources: Sequence[Source]) -> bytes:
    """The instructions with the descriptors of this process in them."""
    insns = bytearray(made.insns)
    for place, part, index in made.maps:
        insns[8 * place + 4 : 8 * place + 8] = sources[part].maps[index].to_bytes(4, sys.byteorder)
    return bytes(insns)

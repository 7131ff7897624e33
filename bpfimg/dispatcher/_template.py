"""Members of freplace dispatchers as programs of type EXT: loaded once, against a dispatcher that is attached nowhere.

The kernel wants a function to be replaced at the load, and lets the program go to any slot of any other dispatcher
afterwards. That first one, a template, has one slot, and is freed when the program has gone elsewhere.
"""

from __future__ import annotations

import errno
import struct
import sys
from contextlib import ExitStack, contextmanager

from bpfimg import btf as types
from bpfimg.dispatcher._emit import CONTEXTS, emitted
from bpfimg.dispatcher._freplace import loaded
from bpfimg.dispatcher._record import DEV_BOUND_ONLY, HAS_FRAGS
from bpfimg.dispatcher._words import ALWAYS
from bpfimg.errors import AttachError, KernelError, NotSupported, VerifierError, quoted
from bpfimg.kernel import abi, bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.kernel import Fd, OpenObject
    from bpfimg.load import members

_SLOT = "prog0"
_OF_DISPATCHERS = HAS_FRAGS | DEV_BOUND_ONLY  # flags that an extension is loaded without
_FUNCTION, _IMMEDIATE = struct.Struct("=II"), struct.Struct("=i")
_INT_SIZE = 4


@contextmanager
def template(hook: str) -> Iterator[tuple[Fd, int]]:
    """A dispatcher of one slot that is attached nowhere, and the id of the slot's FUNC in its BTF."""
    made = emitted(hook, [ALWAYS], 0)
    with loaded(hook, made, 0) as dispatcher:
        yield dispatcher, made.slots[0]


@contextmanager
def extend(opened: OpenObject, name: str, hook: str) -> Iterator[None]:
    """Sets a program of an object up for the slots of dispatchers, before the load; keep it open until that is done.

    AttachError: it cannot have such a place, since its object has no types, or it is no `int f(struct xdp_md *)`.
    """
    program = next(each for each in opened.programs if each.name == name)
    content = opened.btf()
    read = _read(name, content)
    _check(name, hook, read, next((id for id in read.of_kind(types.kinds.FUNC) if read.name(id) == name), 0))
    with template(hook) as (dispatcher, _):
        flags = program.flags & ~_OF_DISPATCHERS
        program.set_type(abi.PROG_TYPE_EXT, 0)
        program.set_flags(flags)
        program.set_target(_SLOT, program=dispatcher)
        yield


def extension(hook: str, code: members.Code, btf: bytes, maps: Sequence[Fd | int]) -> Fd:
    """Loads what a program is made of for the slots of dispatchers: with its own maps, under another program id.

    `btf` are the types that `code.functions` point into, `maps` descriptors in the order that `code.maps` counts them.
    AttachError as for `extend`; VerifierError: the verifier's reason against it in a slot; NotSupported(feature=
    "freplace"): this kernel has no extensions.
    """
    _check(code.name, hook, _read(code.name, btf), code.functions[0][1] if code.functions else 0)
    if code.modules:
        raise AttachError(
            f"program {quoted(code.name)} calls functions of kernel modules, expected one that can be loaded again",
            hint="run the image for this hook, without loading it first",
        )
    with ExitStack() as stack:
        dispatcher, slot = stack.enter_context(template(hook))
        program = bpf.Program(
            type=abi.PROG_TYPE_EXT,
            code=_with_maps(code, maps),
            name=code.name,
            license=code.license,
            flags=code.flags & ~_OF_DISPATCHERS,
            btf=stack.enter_context(bpf.btf_load(btf)),
            functions=b"".join(_FUNCTION.pack(*each) for each in code.functions),
            lines=code.lines,
            target=dispatcher,
            target_type=slot,
        )
        try:
            return bpf.prog_load(program)
        except KernelError as error:
            raise refused(error) from error


def _with_maps(code: members.Code, maps: Sequence[Fd | int]) -> bytes:
    insns = bytearray(code.insns)
    for place, index in code.maps:
        _IMMEDIATE.pack_into(
            insns, 8 * place + 4, maps[index] if isinstance(maps[index], int) else maps[index].fileno()
        )
    return bytes(insns)


def _read(name: str, content: bytes) -> types.Btf:
    if not content:
        raise AttachError(
            f"program {quoted(name)} has no types (BTF), expected some: the kernel puts no program without them into a"
            " dispatcher",
            hint="compile it with -g, or use a fused dispatcher",
        )
    return types.Btf(content, sys.byteorder, types.Limits())


def _check(name: str, hook: str, read: types.Btf, function: int) -> None:
    """The kernel compares the functions' types before it looks at the code, and says little."""
    kinds, context = types.kinds, CONTEXTS[hook]
    if not function:
        raise AttachError(f"the types of program {quoted(name)} have no function of that name")
    prototype = read.target(function)
    result = read.bare(read.target(prototype))
    parameters = [read.bare(parameter) for _, parameter in read.parameters(prototype)]
    pointees = [read.bare(read.target(each)) for each in parameters if read.kind(each) == kinds.PTR]
    sound = (
        read.kind(result) == kinds.INT
        and read.target(result) == _INT_SIZE
        and len(parameters) == len(pointees) == 1
        and read.kind(pointees[0]) == kinds.STRUCT
        and read.name(pointees[0]) == context
    )
    if not sound:
        raise AttachError(
            f"program {quoted(name)} is {quoted(_spelled(read, prototype))}, expected int (struct {context} *): the"
            " kernel puts no other into a dispatcher",
            hint="change its types, or use a fused dispatcher",
        )


def _spelled(read: types.Btf, prototype: int) -> str:
    parameters = ", ".join(types.spelled(read, each) for _, each in read.parameters(prototype))
    return f"{types.spelled(read, read.target(prototype))} ({parameters})"


def refused(error: KernelError) -> KernelError:
    """What the kernel's refusal of an extension means: NotSupported where it takes none at all."""
    if error.errno == errno.EPERM and not isinstance(error, VerifierError):
        return NotSupported(
            f"this kernel takes no program in the place of another's function (freplace): {error}",
            feature="freplace",
            errno=error.errno,
            hint="a fused dispatcher needs none",
        )
    return error

"""Members of freplace dispatchers as programs of type EXT: loaded once, against a dispatcher that is attached nowhere.

The kernel wants a function to be replaced at the load, and lets the program go to any slot of any other dispatcher
afterwards. That first one, a template, has one slot, and is freed when the program has gone elsewhere.
"""

from __future__ import annotations

import errno
import struct
from contextlib import ExitStack, contextmanager

from bpfimg.dispatcher import _prototypes as prototypes
from bpfimg.dispatcher._emit import emitted
from bpfimg.dispatcher._freplace import loaded
from bpfimg.dispatcher._together import DEV_BOUND_ONLY, HAS_FRAGS
from bpfimg.dispatcher._unseen import makes_tail_calls
from bpfimg.dispatcher._words import ALWAYS
from bpfimg.errors import AttachError, KernelError, NotSupported, VerifierError, quoted
from bpfimg.kernel import abi, bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from bpfimg.kernel import Fd, OpenObject
    from bpfimg.load import members

_SLOT = "prog0"
_OF_DISPATCHERS = HAS_FRAGS | DEV_BOUND_ONLY  # flags that an extension is loaded without
_FUNCTION, _IMMEDIATE = struct.Struct("=II"), struct.Struct("=i")


@contextmanager
def template(hook: str) -> Iterator[tuple[Fd, int]]:
    """A dispatcher of one slot that is attached nowhere, and the id of the slot's FUNC in its BTF."""
    made = emitted(hook, [ALWAYS], 0)
    with loaded(hook, made, 0) as dispatcher:
        yield dispatcher, made.slots[0]


def extend(opened: OpenObject, name: str, hook: str) -> AbstractContextManager[object] | None:
    """Sets a program of an object up for the slots of dispatchers, before the load; keep it open until that is done.

    None where it cannot be loaded for them as it is, and `extension` loads it once more: the types of its main function
    are other than `int (struct xdp_md *)`; or there is no CAP_SYS_ADMIN, which libbpf needs to look at a dispatcher's
    types. Programs that it may call by a map of programs are set up for the same attach type, none, as the kernel wants
    it of all in such a map.
    """
    program = next(each for each in opened.programs if each.name == name)
    if not prototypes.fits(opened.btf(), name, hook):
        return None
    with ExitStack() as stack:
        dispatcher, _ = stack.enter_context(template(hook))
        try:
            program.set_target(_SLOT, program=dispatcher)
        except KernelError as error:
            if error.errno != errno.EPERM:
                raise
            return None
        for each in opened.programs:
            if each.type_id == abi.PROG_TYPE_XDP and each.attach_type_id == abi.ATTACH_XDP:
                each.set_type(each.type_id, 0)
        flags = program.flags & ~_OF_DISPATCHERS
        program.set_type(abi.PROG_TYPE_EXT, 0)
        program.set_flags(flags)
        return stack.pop_all()


def extension(hook: str, code: members.Code, btf: bytes, maps: Sequence[Fd | int]) -> Fd:
    """Loads what a program is made of for the slots of dispatchers: with its own maps, under another program id.

    `btf` are the types that `code.functions` point into, b"" where it has none; `maps` are descriptors in the order
    that `code.maps` counts them. AttachError: it cannot be in a slot, and why; VerifierError: the verifier's reason;
    NotSupported(feature="freplace"): this kernel has no extensions.
    """
    if code.modules:
        raise AttachError(
            f"program {quoted(code.name)} calls functions of kernel modules, expected one that can be loaded again",
            hint="run the image for this hook, without loading it first",
        )
    types, functions = prototypes.fitted(btf, code.functions, hook, code.name)
    with ExitStack() as stack:
        dispatcher, slot = stack.enter_context(template(hook))
        program = bpf.Program(
            type=abi.PROG_TYPE_EXT,
            code=_with_maps(code, maps),
            name=code.name,
            license=code.license,
            flags=code.flags & ~_OF_DISPATCHERS,
            btf=stack.enter_context(bpf.btf_load(types)),
            functions=b"".join(_FUNCTION.pack(*each) for each in functions),
            lines=code.lines if btf else b"",
            target=dispatcher,
            target_type=slot,
        )
        try:
            return bpf.prog_load(program)
        except KernelError as error:
            raise _refused(code, error) from error


def _with_maps(code: members.Code, maps: Sequence[Fd | int]) -> bytes:
    insns = bytearray(code.insns)
    for place, index in code.maps:
        fd = maps[index]
        _IMMEDIATE.pack_into(insns, 8 * place + 4, fd if isinstance(fd, int) else fd.fileno())
    return bytes(insns)


def _refused(code: members.Code, error: KernelError) -> Exception:
    """What the kernel's refusal of an extension means: NotSupported where it takes none at all."""
    if isinstance(error, VerifierError):
        return error
    if error.errno == errno.EPERM:
        return NotSupported(
            f"this kernel takes no program in the place of another's function (freplace): {error}",
            feature="freplace",
            errno=error.errno,
            hint="a fused dispatcher needs none",
        )
    if error.errno == errno.EINVAL and makes_tail_calls(code.insns):
        return AttachError(
            f"program {quoted(code.name)} calls the programs of a map that was made for another attach type, and cannot"
            " have a place in a dispatcher now",
            hint="run the image for this hook, without loading it first",
        )
    return error

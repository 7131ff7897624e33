"""Why programs cannot be one: what can be told before the kernel is asked, and what its refusal means."""

from __future__ import annotations

import errno
import sys

from bpfimg.dispatcher._together import ATTACH_TYPES, DEV_BOUND_ONLY, HAS_FRAGS, flags_of, is_gpl
from bpfimg.dispatcher._unseen import makes_tail_calls
from bpfimg.errors import KernelError, NotSupported, VerifierError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.dispatcher._assemble import Assembled, Line, Part
    from bpfimg.load import members

FEATURE = "fused"
#: what the verifier says of no instruction
_OF_ALL = ("combined stack size",)
_ALONE = "where the kernel takes freplace, --dispatcher freplace has no such limit; else give it a hook of its own"
_FUNCTIONS_MAX = 256  # BPF_MAX_SUBPROGS
_LOCAL = ("bpf_obj_new", "bpf_percpu_obj_new")


class About:
    """Where in the sources of its members an instruction of a fused program is; for kernels that do not say it."""

    def __init__(self, made: Assembled, btfs: Sequence[bytes]) -> None:
        self._made, self._btfs = made, btfs

    def place(self, program: str, index: int, text: str) -> tuple[str, int, str]:
        """File, line and text of the source of an instruction; ("", 0, text) where none is known."""
        line: Line | None = None
        for each in self._made.lines:
            if each.place > index:
                break
            line = each
        if line is None or line.part < 0 or not self._btfs[line.part]:
            return "", 0, text
        from bpfimg.btf import Btf, Limits
        from bpfimg.errors import BytecodeError

        try:
            types = Btf(self._btfs[line.part], sys.byteorder, Limits())
            file, words = types.string(line.file), types.string(line.text)
        except BytecodeError:
            return "", 0, text
        return file.rpartition("/")[2], line.position >> 10, words.strip()

    def relocation(self, program: str, index: int) -> str:
        """Nothing: the members' relocations were made when they were loaded."""
        return ""


def check(parts: Sequence[Part]) -> None:
    """NotSupported for programs that cannot be one, whatever the verifier says; it names a member and the reason."""
    codes = [part.code for part in parts]
    _licences(codes)
    for code in codes:
        reason = _reason(code)
        if reason:
            raise NotSupported(
                f"program {quoted(code.name)} cannot be in a fused dispatcher: {reason}", feature=FEATURE, hint=_ALONE
            )
    functions = 1 + sum(max(1, len(code.functions)) for code in codes)
    if functions > _FUNCTIONS_MAX:
        raise NotSupported(
            f"the {len(codes)} programs have {functions - 1} functions, expected fewer than {_FUNCTIONS_MAX} in one"
            " fused dispatcher",
            feature=FEATURE,
            hint=_ALONE,
        )


def _licences(codes: Sequence[members.Code]) -> None:
    """One program has one licence: GPL for all would give functions of the kernel to one that may not call them."""
    free = next((code for code in codes if is_gpl(code.license)), None)
    other = next((code for code in codes if not is_gpl(code.license)), None)
    if free is not None and other is not None:
        raise NotSupported(
            f"programs {quoted(free.name)} (licence {quoted(free.license)}) and {quoted(other.name)} (licence"
            f" {quoted(other.license)}) cannot be in one fused dispatcher, which has one licence for all: expected"
            " all compatible with the GPL, or none",
            feature=FEATURE,
            hint=_ALONE,
        )


def _reason(code: members.Code) -> str:
    if code.modules:
        return "it calls functions of kernel modules, whose types the kernel is told of for one program only"
    if code.flags & DEV_BOUND_ONLY:
        return "it is bound to a device"
    if "bpf_throw" in code.kfuncs:
        return "it throws exceptions, which would end the whole chain"
    local = next((name for name in code.kfuncs if name.startswith(_LOCAL)), "")
    if local:
        return f"it makes objects of types of its own ({local}), by their numbers in its own BTF"
    return ""


def refused(hook: str, parts: Sequence[Part], made: Assembled, error: KernelError) -> KernelError:
    """The error for programs that the kernel takes one by one, but not together."""
    codes = [part.code for part in parts]
    of_all = any(words in str(error) for words in _OF_ALL)
    index = _instruction(error.log) if isinstance(error, VerifierError) and not of_all else -1
    part = made.part_at(index) if index >= 0 else -1
    name = parts[part].code.name if part >= 0 else ""
    whose = f"program {quoted(name)}" if name else "the programs"
    others = f"one fused dispatcher of {len(parts)} programs"
    if error.errno == errno.EINVAL and str(error).endswith("(EINVAL)"):  # nothing that the verifier said
        odd = next(filter(None, (_table(hook, code, flags_of(codes)) for code in codes)), "")
        if odd:
            return NotSupported(f"{odd}, so it cannot be in {others}", feature=FEATURE, errno=error.errno, hint=_ALONE)
    if isinstance(error, VerifierError):
        said = str(error).partition("refused program ")[2].partition("'")[2].partition("'")[2] or f": {error}"
        return VerifierError(
            f"the kernel's verifier takes {whose} alone, but not in {others}{said}",
            program=name or error.program,
            log=error.log,
            errno=error.errno,
            cause=error.cause,
            source=error.source,
            hint="; ".join(each for each in (error.hint, _ALONE) if each),
        )
    return KernelError(f"the kernel refuses {others}: {error}", errno=error.errno, hint=error.hint or _ALONE)


def _table(hook: str, code: members.Code, flags: int) -> str:
    """Why the maps of programs of a member do not go with the whole: the kernel keeps them for programs of one kind."""
    if not makes_tail_calls(code.insns):
        return ""
    if (code.flags ^ flags) & HAS_FRAGS:
        return f"program {quoted(code.name)} calls others by a map for programs built for fragments, and not all are"
    if code.attach_type != ATTACH_TYPES[hook]:
        return (
            f"program {quoted(code.name)} calls others by a map for programs of attach type {code.attach_type},"
            f" expected {ATTACH_TYPES[hook]}"
        )
    return ""


def _instruction(log: str) -> int:
    """The last instruction that the verifier was at; -1 where its log names none."""
    for line in reversed(log.splitlines()):
        number, colon, _ = line.partition(": (")
        if colon and number.isdigit():
            return int(number)
    return -1

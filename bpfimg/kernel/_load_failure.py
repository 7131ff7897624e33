"""Why libbpf could not load an object, as one error with one sentence. Imported only on failure.

libbpf says what failed in words, the kernel says why in the verifier's log; probes say the rest.
"""

from __future__ import annotations

import errno

from bpfimg._value import value
from bpfimg.errors import KernelError, NotSupported, VerifierError
from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _features as features
from bpfimg.kernel._failure import permission_hint, printable, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_ENOTSUPP = 524
_TRAMPOLINE_TYPES = (abi.PROG_TYPE_TRACING, abi.PROG_TYPE_EXT, abi.PROG_TYPE_LSM)
_NET_TYPES = ("xdp", "sched_cls", "sched_act", "netfilter", "sk_lookup", "cgroup_skb")
_TRACING_TYPES = ("kprobe", "tracepoint", "perf_event", "raw_tracepoint", "raw_tracepoint_writable", "tracing", "lsm")


@value(frozen=True, slots=True)
class Attempt:
    """A load that failed: what libbpf printed, and what was to be loaded."""

    name: str
    errno: int
    lines: tuple[str, ...]
    log: str
    programs: Mapping[str, tuple[int, int]]  # name -> program type, expected attach type
    maps: Mapping[str, int]  # name -> map type


def load_failure(attempt: Attempt) -> KernelError:
    """Returns the error for a failed `bpf_object__load`."""
    program = _named(attempt.lines, "prog '", "load failed") or _named(attempt.lines, "prog '", "failed to load")
    if program and _told(attempt.log):
        return verifier_error(program, attempt.log, attempt.errno)
    if _said(attempt.lines, "kernel BTF", "vmlinux BTF") and features.has("btf") is False:
        return NotSupported(
            f"object {attempt.name!r} needs the kernel's types (CO-RE), and this kernel has no BTF",
            feature="btf",
            errno=attempt.errno,
            hint="/sys/kernel/btf/vmlinux comes with CONFIG_DEBUG_INFO_BTF",
        )
    if program in attempt.programs:
        return _program_refused(attempt, program)
    refused = _named(attempt.lines, "map '", "failed to create")
    if refused in attempt.maps:
        return _map_refused(attempt, refused)
    hint = permission_hint(("CAP_BPF",), "loading") if attempt.errno == errno.EPERM else ""
    # libbpf guesses at RLIMIT_MEMLOCK, which has been no limit since kernel 5.11, where a capability is missing
    said = "" if hint else "; ".join(printable(line) for line in attempt.lines[:2])
    return KernelError(
        f"cannot load object {attempt.name!r}: {said + ': ' if said else ''}{reason(attempt.errno)}",
        errno=attempt.errno,
        hint=hint,
    )


def verifier_error(program: str, log: str, number: int) -> VerifierError:
    """Returns the error for a program that the verifier refused: the log's last two lines that matter."""
    told = _told(log)
    last = told[-1] if told else reason(number)
    before = next((line for line in reversed(told[:-1]) if not line.startswith(";")), "")
    source = next((line for line in reversed(told) if line.startswith(";")), "")
    at = f" at `{printable(before.strip())}`" if before else ""
    hint = f"the source line is `{printable(source.lstrip('; '))}`; " if source else ""
    return VerifierError(
        f"the kernel's verifier refused program {program!r}: {printable(last.strip())}{at}",
        program=program,
        log=log,
        errno=number,
        hint=f"{hint}the verifier's log has {len(log.splitlines())} lines",
    )


def _told(log: str) -> list[str]:
    """The lines of a verifier log that are about the program, without the closing statistics."""
    lines = (line for line in log.splitlines() if line.strip())
    return [line for line in lines if not line.startswith(("processed ", "verification time", "stack depth"))]


def _program_refused(attempt: Attempt, program: str) -> KernelError:
    """No log: the kernel did not get as far as the verifier."""
    type_id, attach_type = attempt.programs[program]
    word = abi.PROGRAM_TYPES[type_id] if type_id < len(abi.PROGRAM_TYPES) else f"type {type_id}"
    if attempt.errno in (errno.EPERM, errno.EACCES):
        hint = permission_hint(_capabilities(word), "loading")
        if not hint and type_id in _TRAMPOLINE_TYPES and features.has("xdp"):
            return NotSupported(
                f"this kernel refuses program {program!r} ({word}): no programs that need BPF trampolines "
                "(freplace, fentry, fexit, LSM) are allowed here",
                feature="trampolines",
                errno=attempt.errno,
            )
        return KernelError(
            f"cannot load program {program!r} ({word}): {reason(attempt.errno)}", errno=attempt.errno, hint=hint
        )
    if type_id == 0:
        return KernelError(f"program {program!r} has no type: its section is not a known one", errno=attempt.errno)
    unknown = attempt.errno == errno.EINVAL and features.program_type(type_id, attach_type) is False
    if unknown or attempt.errno in (_ENOTSUPP, errno.EOPNOTSUPP):
        return NotSupported(
            f"this kernel takes no {word} programs, so {program!r} cannot be loaded", feature=word, errno=attempt.errno
        )
    said = next((line for line in attempt.lines if "BEGIN PROG" not in line), "")
    return KernelError(
        f"cannot load program {program!r} ({word}): {printable(said) + ': ' if said else ''}{reason(attempt.errno)}",
        errno=attempt.errno,
    )


def _map_refused(attempt: Attempt, name: str) -> KernelError:
    type_id = attempt.maps[name]
    word = abi.MAP_TYPES[type_id] if type_id < len(abi.MAP_TYPES) else f"type {type_id}"
    if attempt.errno == errno.EPERM:
        hint = permission_hint(("CAP_BPF",), "creating a map")
        return KernelError(
            f"cannot create map {name!r} ({word}): {reason(attempt.errno)}", errno=attempt.errno, hint=hint
        )
    if attempt.errno == errno.EINVAL and features.map_type(type_id) is False:
        message = f"this kernel makes no {word} maps, so map {name!r} cannot be created"
        return NotSupported(message, feature=word, errno=attempt.errno)
    suits = "its sizes or flags do not suit its type" if attempt.errno == errno.EINVAL else ""
    message = f"cannot create map {name!r} ({word}): {reason(attempt.errno)}"
    return KernelError(message, errno=attempt.errno, hint=suits)


def _capabilities(word: str) -> tuple[str, ...]:
    if word in _NET_TYPES:
        return ("CAP_BPF", "CAP_NET_ADMIN")
    return ("CAP_BPF", "CAP_PERFMON") if word in _TRACING_TYPES else ("CAP_BPF",)


def _named(lines: tuple[str, ...], prefix: str, phrase: str) -> str:
    """The name in the first line such as `prog 'NAME': BPF program load failed: …`; empty if there is none."""
    for line in lines:
        if line.startswith(prefix) and phrase in line:
            return line[len(prefix) :].partition("'")[0]
    return ""


def _said(lines: tuple[str, ...], *phrases: str) -> bool:
    return any(phrase in line for line in lines for phrase in phrases)

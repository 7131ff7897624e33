"""Why libbpf could not load an object, as one error with one sentence. Imported only on failure.

libbpf says what failed in words, the kernel says why in the verifier's log; probes say the rest.
"""

from __future__ import annotations

import errno

from bpfimg._value import value
from bpfimg.errors import Error, KernelError, NotSupported
from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _features as features
from bpfimg.kernel._capabilities import to_load
from bpfimg.kernel._failure import permission_hint, printable, reason
from bpfimg.kernel._load_missing import lacking, no_types
from bpfimg.kernel._verifier_error import told, verifier_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.kernel._verifier_error import About

_ENOTSUPP = 524
_TRAMPOLINES = (abi.PROG_TYPE_TRACING, abi.PROG_TYPE_EXT, abi.PROG_TYPE_LSM)
_WITHOUT = (abi.ATTACH_TYPES.index("trace_raw_tp"), abi.ATTACH_TYPES.index("trace_iter"))
_MEMORY = (
    "the memory of this control group (memory.max), or of the machine, does not do; "
    "`max_entries` of the object's maps decide how much they take"
)
_MAP_ERRORS = {
    errno.EINVAL: "its sizes or flags do not suit its type",
    errno.E2BIG: "it has more entries, or larger ones, than its type takes",
    errno.ENOMEM: _MEMORY,
    errno.ENOSPC: "the kernel has no room for it",
}


@value(frozen=True, slots=True)
class Attempt:
    """A load that failed: what libbpf printed, and what was to be loaded."""

    name: str
    errno: int
    lines: tuple[str, ...]
    log: str
    programs: Mapping[str, tuple[int, int]]  # name -> program type, expected attach type
    maps: Mapping[str, int]  # name -> map type


def load_failure(attempt: Attempt, about: About | None = None) -> Error:
    """Returns the error for a failed `bpf_object__load`; `about` knows what else the object says."""
    program = _named(attempt.lines, "prog '", "load failed") or _named(attempt.lines, "prog '", "failed to load")
    if program and told(attempt.log):
        return verifier_error(program, attempt.log, attempt.errno, about)
    attach_type = attempt.programs[program][1] if program in attempt.programs else -1
    missing = lacking(attempt.name, attempt.lines, attempt.errno, attach_type)
    missing = missing or no_types(attempt.name, attempt.lines, attempt.errno)
    if missing:
        return missing
    if program in attempt.programs:
        return _program_refused(attempt, program)
    refused = _named(attempt.lines, "map '", "failed to create")
    if refused in attempt.maps:
        return _map_refused(attempt, refused)
    hint = permission_hint(_wanted(attempt), "loading it") if attempt.errno == errno.EPERM else ""
    # libbpf guesses at RLIMIT_MEMLOCK, which has been no limit since kernel 5.11, where a capability is missing
    said = "" if hint else "; ".join(printable(line) for line in attempt.lines[:2])
    return KernelError(
        f"cannot load object {attempt.name!r}: {said + ': ' if said else ''}{reason(attempt.errno)}",
        errno=attempt.errno,
        hint=hint,
    )


def _wanted(attempt: Attempt) -> tuple[str, ...]:
    """The capabilities that loading all of its programs takes."""
    words = (abi.PROGRAM_TYPES[type_id] for type_id, _ in attempt.programs.values() if type_id < len(abi.PROGRAM_TYPES))
    return tuple(dict.fromkeys(("CAP_BPF", *(each for word in words for each in to_load(word)))))


def _program_refused(attempt: Attempt, program: str) -> KernelError:
    """No log: the kernel did not get as far as the verifier."""
    type_id, attach_type = attempt.programs[program]
    word = abi.PROGRAM_TYPES[type_id] if type_id < len(abi.PROGRAM_TYPES) else f"type {type_id}"
    if type_id == 0:
        return KernelError(f"program {program!r} has no type: its section is not a known one", errno=attempt.errno)
    what = f"cannot load program {program!r} ({word})"
    if attempt.errno in (errno.EPERM, errno.EACCES):
        return _forbidden(attempt, program, word, what)
    unknown = attempt.errno == errno.EINVAL and features.program_type(type_id, attach_type) is False
    if unknown or attempt.errno in (_ENOTSUPP, errno.EOPNOTSUPP):
        return NotSupported(
            f"this kernel takes no {word} programs, so {program!r} cannot be loaded", feature=word, errno=attempt.errno
        )
    if attempt.errno == errno.ENOMEM:
        return KernelError(f"{what}: {reason(attempt.errno)}", errno=attempt.errno, hint=_MEMORY)
    said = next((line for line in attempt.lines if "BEGIN" not in line and "LOG" not in line), "")
    return KernelError(f"{what}: {printable(said) + ': ' if said else ''}{reason(attempt.errno)}", errno=attempt.errno)


def _forbidden(attempt: Attempt, program: str, word: str, what: str) -> KernelError:
    type_id, attach_type = attempt.programs[program]
    hint = permission_hint(to_load(word), f"loading {_article(word)} program")
    trampolines = type_id in _TRAMPOLINES and attach_type not in _WITHOUT
    if not hint and trampolines and features.has("xdp"):
        return NotSupported(
            f"this kernel refuses program {program!r} ({word}): no programs that need BPF trampolines "
            "(freplace, fentry, fexit, LSM) are allowed here",
            feature="trampolines",
            errno=attempt.errno,
        )
    return KernelError(f"{what}: {reason(attempt.errno)}", errno=attempt.errno, hint=hint or _forbidding())


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiox' else 'a'} {word}"


def _forbidding() -> str:
    """What on this host may forbid it to a process that has every capability."""
    from bpfimg.kernel._host_facts import lockdown

    mode = lockdown()
    if mode in ("integrity", "confidentiality"):
        return f"the kernel is locked down ({mode}), or a security module of this host forbids it"
    return "a security module of this host, or a filter of system calls (seccomp, as containers have it), forbids it"


def _map_refused(attempt: Attempt, name: str) -> KernelError:
    type_id = attempt.maps[name]
    word = abi.MAP_TYPES[type_id] if type_id < len(abi.MAP_TYPES) else f"type {type_id}"
    what = f"cannot create map {name!r} ({word}): {reason(attempt.errno)}"
    if attempt.errno == errno.EPERM:
        hint = permission_hint(_MAP_CAPABILITIES.get(word, ("CAP_BPF",)), "creating a map")
        return KernelError(what, errno=attempt.errno, hint=hint or _limited() or _forbidding())
    unknown = attempt.errno == errno.EINVAL and (type_id >= len(abi.MAP_TYPES) or features.map_type(type_id) is False)
    if unknown or attempt.errno in (_ENOTSUPP, errno.EOPNOTSUPP):
        message = f"this kernel makes no {word} maps, so map {name!r} cannot be created"
        return NotSupported(message, feature=word, errno=attempt.errno)
    return KernelError(what, errno=attempt.errno, hint=_MAP_ERRORS.get(attempt.errno, ""))


#: those that take more than CAP_BPF to make
_MAP_CAPABILITIES = {
    "devmap": ("CAP_BPF", "CAP_NET_ADMIN"),
    "devmap_hash": ("CAP_BPF", "CAP_NET_ADMIN"),
    "sockmap": ("CAP_BPF", "CAP_NET_ADMIN"),
    "sockhash": ("CAP_BPF", "CAP_NET_ADMIN"),
    "xskmap": ("CAP_BPF", "CAP_NET_ADMIN"),
    "cpumap": ("CAP_BPF", "CAP_NET_ADMIN"),
}


def _limited() -> str:
    """Before kernel 5.11 maps were charged to a limit of the process, and EPERM was all that it said."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    if limit == resource.RLIM_INFINITY:
        return ""
    return (
        f"before kernel 5.11 maps count as locked memory, of which this process may have {limit} bytes: "
        "raise the limit (`ulimit -l unlimited`), which takes CAP_SYS_RESOURCE"
    )


def _named(lines: tuple[str, ...], prefix: str, phrase: str) -> str:
    """The name in the first line such as `prog 'NAME': BPF program load failed: …`; empty if there is none."""
    for line in lines:
        if line.startswith(prefix) and phrase in line:
            return line[len(prefix) :].partition("'")[0]
    return ""

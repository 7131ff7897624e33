"""What an object asks of the kernel by name, and this kernel lacks: functions, variables, options, types, targets.

From the lines of libbpf 1.0 to 1.8, whose wording of these has not changed much; a line that nothing here fits is
passed on as it is.
"""

from __future__ import annotations

import re

from bpfimg.errors import Error, KernelError, NotSupported
from bpfimg.kernel._failure import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_NO_TYPES = re.compile(r"(?:kernel|vmlinux) BTF|failed to find valid kernel BTF")
#: pattern; what is lacking; where to look
_LACKING = (
    (
        r"extern \(func ksym\) '([^']*)': not found",
        "this kernel has no function {0}() for programs (kfunc)",
        "it may come with a kernel module that is not loaded; a weak declaration (__weak __ksym) makes it optional",
    ),
    (
        r"extern '(CONFIG_[^']*)' \(strong\): not resolved",
        "this kernel's configuration does not have {0}",
        "it is read from /proc/config.gz or /boot/config-RELEASE; declared __weak it is optional",
    ),
    (
        r"extern '([^']*)' \(strong\): not resolved",
        "this kernel has no symbol {0}",
        "a weak declaration (__weak __ksym) makes it optional",
    ),
    (
        r"extern \(var ksym\) '([^']*)': not found",
        "this kernel has no variable {0} with a type",
        "a weak declaration (__weak __ksym) makes it optional",
    ),
    (
        r"extern \((?:var|func) ksym\) '([^']*)': .*(?:mismatch|incompatible)",
        "this kernel's {0} is of another type than the object declares",
        "compile the object with the declaration that this kernel has",
    ),
    (
        r"struct_ops init_kern\S*:? (?:.*: )?struct (\S+) is not found in kernel BTF",
        "this kernel has no struct {0}, so none of its operations can be programs",
        "",
    ),
    (
        r"struct_ops init_kern (\S+): Cannot find member (\S+) in kernel BTF",
        "the kernel's table of operations for map {0} has no member {1}",
        "compile the object against this kernel's types, or set the member to 0",
    ),
)
_CONFIG_VALUE = re.compile(r"extern \(kcfg\) '([^']*)': value '([^']*)' (.*)")
_TARGET = re.compile(r"prog '[^']*': failed to find kernel BTF type ID of '([^']*)'")
_NO_TARGET = re.compile(r"prog '([^']*)': (?:attach program FD is not set|no BTF-based attach target)")


def lacking(name: str, lines: Sequence[str], number: int, attach_type: int = -1) -> Error | None:
    """Returns the error for what the lines say is missing; None where they say something else."""
    text = "\n".join(lines)
    for pattern, sentence, hint in _LACKING:
        found = re.search(pattern, text)
        if found:
            words = [printable(group) for group in found.groups()]
            message = f"{sentence.format(*words)}, which object {name!r} needs"
            return NotSupported(message, feature=words[-1], errno=number, hint=hint)
    return _target(text, number, attach_type) or _configured(name, text, number)


def no_types(name: str, lines: Sequence[str], number: int) -> NotSupported | None:
    """Returns the error for an object that needs the kernel's types where there are none."""
    from bpfimg.kernel import _features as features

    if not any(_NO_TYPES.search(line) for line in lines) or features.has("btf") is not False:
        return None
    return NotSupported(
        f"object {name!r} needs the kernel's types (CO-RE), and this kernel has no BTF",
        feature="btf",
        errno=number,
        hint="/sys/kernel/btf/vmlinux comes with CONFIG_DEBUG_INFO_BTF",
    )


def _target(text: str, number: int, attach_type: int) -> Error | None:
    untold = _NO_TARGET.search(text)
    if untold:
        message = f"program {printable(untold[1])!r} names no target, expected the function that it is for"
        return KernelError(message, errno=number, hint="give it by `--program TYPE:NAME:TARGET`, or in its section")
    found = _TARGET.search(text)
    if found is None or attach_type < 0:
        return None
    from bpfimg.kernel._functions import missing_target

    return missing_target(printable(found[1]), attach_type)


def _configured(name: str, text: str, number: int) -> KernelError | None:
    found = _CONFIG_VALUE.search(text)
    if found is None:
        return None
    option, setting, why = (printable(group) for group in found.groups())
    return KernelError(f"object {name!r} declares {option} of a type that its value {setting} {why}", errno=number)

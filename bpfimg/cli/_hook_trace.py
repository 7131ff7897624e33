"""Hooks of the kernel itself on the command line: their options, and the hook that these ask for."""

from __future__ import annotations

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bpfimg.load import Hook

__all__ = ["HOOKS"]


def _add_tracepoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "tracepoint", metavar="GROUP/NAME", help="for example sched/sched_switch, or sched:sched_switch"
    )


def _tracepoint(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    return hooks.Tracepoint.parse(arguments.tracepoint)


def _add_raw_tracepoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("event", metavar="NAME", help="for example sched_switch: without its group")


def _raw_tracepoint(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    return hooks.RawTracepoint(arguments.event.rpartition("/")[2].rpartition(":")[2])


def _module(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--module", metavar="MODULE", help="the function of this kernel module")


def _add_kprobe(parser: argparse.ArgumentParser) -> None:
    _add_kretprobe(parser)
    parser.add_argument("--offset", metavar="N", help="that many bytes behind the function's entry")


def _add_kretprobe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("function", metavar="FUNC", nargs="?", help="a function of the kernel, or MODULE:FUNC")
    parser.add_argument(
        "--pattern", metavar="'vfs_*'", help="in place of FUNC: every function that fits (`*` any letters, `?` one)"
    )
    _module(parser)


def _kprobe(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    module, pattern = arguments.module, arguments.pattern
    function = None
    if arguments.function is not None:
        module, function = _of_module(arguments.function, module)
    if pattern is not None:
        module, pattern = _of_module(pattern, module)
    if (function is None) == (pattern is None):
        raise UsageError(f"hook {arguments.hook} needs a function or a --pattern, expected one of the two")
    return hooks.Kprobe(
        function,
        offset=_number("--offset", getattr(arguments, "offset", None)) or 0,
        ret=arguments.hook == "kretprobe",
        module=module,
        pattern=pattern,
    )


def _of_module(text: str, module: str | None) -> tuple[str | None, str]:
    """(Module, name) of `MODULE:NAME`; UsageError when --module says another."""
    before, colon, name = text.rpartition(":")
    if not colon:
        return module, text
    if module not in (None, before):
        raise UsageError(f"{text!r} is of module {before}, and --module says {module}, expected one of the two")
    return before, name


def _add_ksyscall(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("call", metavar="NAME", help="a system call as the manual has it: openat")


def _ksyscall(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    return hooks.Ksyscall(arguments.call, ret=arguments.hook == "kretsyscall")


def _add_function(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="FUNC", nargs="?", help="a function (default: what the section names)")
    _module(parser)


def _add_lsm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="NAME", nargs="?", help="for example file_open (default: as the section has)")


def _add_tp_btf(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="NAME", nargs="?", help="a tracepoint (default: what the section names)")


def _tracing(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    module, target = getattr(arguments, "module", None), arguments.target
    if target is not None:
        module, target = _of_module(target, module)
    return hooks.Tracing(arguments.hook, target, module)


def _add_perf_event(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "event",
        metavar="EVENT",
        nargs="?",
        default="cpu-clock",
        help="as perf(1) calls it: cpu-clock (default), task-clock, page-faults, context-switches, cycles, rXXXX …",
    )
    parser.add_argument("-F", "--frequency", metavar="N", help="samples a second (default for clocks and counters: 99)")
    parser.add_argument("-c", "--period", metavar="N", help="one sample each N events (default for other events: 1)")
    parser.add_argument("--pid", metavar="PID", help="only this process, its threads, and what they start later")
    parser.add_argument("--cpu", metavar="N", help="only this CPU (default: all that run)")


def _perf_event(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    given = {name: _number(f"--{name}", getattr(arguments, name)) for name in ("frequency", "period", "cpu", "pid")}
    return hooks.PerfEvent(arguments.event, **given)


def _add_struct_ops(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--map", metavar="NAME", help="the table of operations (default: the object's only one)")


def _struct_ops(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    return hooks.StructOps(arguments.map)


def _number(what: str, text: str | None) -> int | None:
    """A whole number, also as 0x…."""
    if text is None:
        return None
    try:
        return int(text, 0)
    except ValueError:
        raise UsageError(f"{what} is {text!r}, expected a whole number") from None


#: hook -> (adds its options, the hook that they ask for)
HOOKS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Hook]]] = {
    "tracepoint": (_add_tracepoint, _tracepoint),
    "raw_tracepoint": (_add_raw_tracepoint, _raw_tracepoint),
    "tp_btf": (_add_tp_btf, _tracing),
    "kprobe": (_add_kprobe, _kprobe),
    "kretprobe": (_add_kretprobe, _kprobe),
    "ksyscall": (_add_ksyscall, _ksyscall),
    "kretsyscall": (_add_ksyscall, _ksyscall),
    "fentry": (_add_function, _tracing),
    "fexit": (_add_function, _tracing),
    "fmod_ret": (_add_function, _tracing),
    "lsm": (_add_lsm, _tracing),
    "perf_event": (_add_perf_event, _perf_event),
    "struct_ops": (_add_struct_ops, _struct_ops),
}

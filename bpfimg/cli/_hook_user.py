"""Hooks in programs of user space on the command line: their options, and the hook that these ask for."""

from __future__ import annotations

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bpfimg.load import Hook

__all__ = ["HOOKS"]

_TARGET = "a path, or the name of a program (bash) or shared library (c, libssl, libc.so.6)"


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help=_TARGET)
    parser.add_argument("--pid", metavar="P", help="only in this process (default: in every one)")
    parser.add_argument(
        "--container-pid", metavar="P", help="TARGET is what this process, of a container, sees under that path or name"
    )


def _add_function(parser: argparse.ArgumentParser) -> None:
    _add_target(parser)
    parser.add_argument("--function", metavar="F", help="the function, as `memcpy`, or as `memcpy@GLIBC_2.2.5`")
    parser.add_argument(
        "--pattern", metavar="GLOB", help="every function that fits, as `SSL_*`, in place of --function"
    )
    parser.add_argument(
        "--offset", metavar="N", help="bytes behind the entry of the function; without one the place in the file"
    )


def _add_probe(parser: argparse.ArgumentParser) -> None:
    _add_target(parser)
    parser.add_argument("probe", metavar="PROVIDER:NAME", help="for example python:gc__start")


def _uprobe(arguments: argparse.Namespace) -> Hook:
    return _function(arguments, ret=False)


def _uretprobe(arguments: argparse.Namespace) -> Hook:
    return _function(arguments, ret=True)


def _function(arguments: argparse.Namespace, *, ret: bool) -> Hook:
    from bpfimg.load import hooks

    return hooks.Uprobe(
        arguments.target,
        function=arguments.function,
        offset=_number("--offset", arguments.offset) or 0,
        ret=ret,
        pid=_number("--pid", arguments.pid),
        container_pid=_number("--container-pid", arguments.container_pid),
        pattern=arguments.pattern,
    )


def _usdt(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    provider, colon, name = arguments.probe.partition(":")
    if not colon or not provider or not name or ":" in name:
        raise UsageError(f"the probe is {arguments.probe!r}, expected PROVIDER:NAME such as python:gc__start")
    return hooks.Usdt(
        arguments.target,
        provider,
        name,
        pid=_number("--pid", arguments.pid),
        container_pid=_number("--container-pid", arguments.container_pid),
    )


def _number(option: str, text: str | None) -> int | None:
    """A whole number, also as 0x1f; None for an option that was not given."""
    if text is None:
        return None
    try:
        return int(text, 0)
    except ValueError:
        raise UsageError(f"{option} is {text!r}, expected a whole number, as 32 or 0x20") from None


#: hook -> (adds its options, the hook that they ask for)
HOOKS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Hook]]] = {
    "uprobe": (_add_function, _uprobe),
    "uretprobe": (_add_function, _uretprobe),
    "usdt": (_add_probe, _usdt),
}

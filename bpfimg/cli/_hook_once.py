"""`bpfimg run REF iter` and `bpfimg run REF syscall`: programs that run once and leave nothing."""

from __future__ import annotations

import sys

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bpfimg.cli._options import Options
    from bpfimg.run import once

__all__ = ["HOOKS", "run"]


def _add_iter(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{parser.description} Nothing is attached, and nothing stays."
    parser.add_argument("--map", metavar="MAP", help="walk the entries of this map: one of the image's, an id or a pin")
    parser.add_argument("--pid", metavar="PID", help="walk this process alone")
    parser.add_argument("--cgroup", metavar="PATH", help="begin at this control group")
    parser.add_argument(
        "--order",
        metavar="self|descendants|ancestors",
        default="descendants",
        help="which control groups (default descendants)",
    )


def _add_syscall(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"{parser.description} Nothing stays. Prints what it returned; the exit code is 0 when that is not negative, "
        "else 1."
    )
    parser.add_argument(
        "--context", metavar="hex:00FF…|@FILE", help="the memory that it works on (default: none); printed afterwards"
    )


#: word -> (adds its options, nothing that could be attached); as the hooks have it
HOOKS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], None]] = {
    "iter": (_add_iter, None),
    "syscall": (_add_syscall, None),
}


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Fetches, verifies, loads, runs once, prints."""
    from functools import partial

    from bpfimg.cli._asked import asked
    from bpfimg.cli._believed import believed
    from bpfimg.cli._loaded import host_of
    from bpfimg.cli._parser import warn
    from bpfimg.run import once

    given = _walk(arguments) if arguments.hook == "iter" else _context(arguments.context)
    wanted = asked(arguments)
    if wanted.name or wanted.metadata:
        raise UsageError(f"{arguments.hook} leaves nothing that could be known by --name or --metadata")
    store, verified = believed(arguments.reference, wanted, options)
    call = partial(
        once.call if isinstance(given, bytes) else once.iterate,
        host_of(options),
        store,
        verified,
        programs=wanted.programs,
        globals=wanted.globals,
        sharing=wanted.sharing,
        dry_run=wanted.dry_run,
        warn=warn,
    )
    if isinstance(given, bytes):
        return _called(call(given), options)
    return _walked(call, given, options)


def _walked(call: Callable[..., once.Called], walk: once.Walk, options: Options) -> int:
    from bpfimg.cli._render import clean, json_text

    kept: list[bytes] = []
    terminal = sys.stdout.isatty()

    def write(chunk: bytes) -> None:
        if options.json:
            kept.append(chunk)
        elif terminal:  # names of processes are anybody's words
            sys.stdout.write(clean(chunk.decode("utf-8", "backslashreplace"), keep_lines=True))
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(chunk)

    done = call(write, walk=walk)
    if not done.id:
        return _would(done, options)
    if options.json:
        text = b"".join(kept).decode("utf-8", "backslashreplace")
        print(json_text({"runs": [{"id": done.id, "program": done.program, "text": text}]}))
    return 0


def _called(done: once.Called, options: Options) -> int:
    from bpfimg.cli._render import json_text

    if not done.id or done.result is None:
        return _would(done, options)
    memory = f"hex:{done.context.hex()}"
    if options.json:
        run = {"id": done.id, "program": done.program, "result": done.result, "context": memory}
        print(json_text({"runs": [run]}))
    else:
        print(done.result)
        if done.context and not options.quiet:
            print(memory)
    return 0 if done.result >= 0 else 1


def _would(done: once.Called, options: Options) -> int:
    from bpfimg.cli._render import json_text

    if options.json:
        print(json_text({"runs": [{"id": 0, "program": done.program}]}))
    elif not options.quiet:
        print(f"would run {done.program} once; the kernel takes it, and nothing was changed")
    return 0


def _walk(arguments: argparse.Namespace) -> once.Walk:
    from bpfimg.run import once

    pid = arguments.pid
    if pid is not None and not (pid.isascii() and pid.isdigit()):
        raise UsageError(f"--pid is {pid!r}, expected the number of a process")
    return once.Walk(arguments.map, None if pid is None else int(pid), arguments.cgroup, arguments.order)


def _context(text: str | None) -> bytes:
    """The bytes of `hex:…` or `@FILE`; UsageError for another form."""
    if text is None:
        return b""
    if text.startswith("@"):
        from bpfimg.cli._given_file import read_given
        from bpfimg.run import once

        return read_given(text[1:], "--context", once.MOST_CONTEXT, stdin=True)
    try:
        return bytes.fromhex(text.removeprefix("hex:")) if text.startswith("hex:") else _not_hex(text)
    except ValueError:
        return _not_hex(text)


def _not_hex(text: str) -> bytes:
    raise UsageError(f"--context is {text[:64]!r}, expected hex: and two digits for each byte, or @FILE")

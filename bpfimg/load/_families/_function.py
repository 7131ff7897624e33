"""A function's place in a file, by its name; and the sentence when the name means none, or several."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import AttachError, BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpfimg.bytecode import executable
    from bpfimg.load._families._target import Target
    from bpfimg.load._hooks import Uprobe

_RANKS = {"global": 0, "weak": 1, "local": 2}
_NEAR, _LOOKED_AT = 5, 20_000


@value(frozen=True, slots=True)
class Place:
    """A place in a file that a probe can go to: `offset` in the file, the symbol's full name ("" without one)."""

    offset: int
    symbol: str = ""


def places(target: Target, hook: Uprobe) -> Sequence[Place]:
    """Where the hook's probes go, each place once; AttachError says what there is instead."""
    if hook.pattern is not None:
        return _matching(target, hook.pattern)
    if hook.function is None:
        if target.elf.code_address(hook.offset) is None:
            raise AttachError(
                f"there is no code at offset {hook.offset:#x} of {target.shown}",
                hint="an offset is counted from the beginning of the file; with --function from that of the function",
            )
        return (Place(hook.offset),)
    symbol = _chosen(target, hook.function)
    if hook.offset and symbol.size and hook.offset >= symbol.size:
        raise AttachError(
            f"offset {hook.offset:#x} is behind the end of {quoted(symbol.name)}, which has {symbol.size:#x} bytes"
        )
    offset = target.elf.file_offset(symbol.address + hook.offset)
    if offset is None:
        raise AttachError(f"{quoted(symbol.name)} of {target.shown} is not in its code")
    return (Place(offset, symbol.full),)


def _matching(target: Target, pattern: str) -> Sequence[Place]:
    from fnmatch import translate
    from re import compile

    from bpfimg.bytecode import executable

    fits = compile(translate(pattern)).match
    found: dict[int, Place] = {}
    for elf in _files(target):
        for symbol in executable.functions(elf):
            offset = target.elf.file_offset(symbol.address)
            if symbol.kind == "function" and offset is not None and fits(symbol.name):
                found.setdefault(offset, Place(offset, symbol.full))
        if found:
            return [found[offset] for offset in sorted(found)]
    raise AttachError(f"no function of {target.shown} fits the pattern {quoted(pattern)}", hint=_what_there_is(target))


def _files(target: Target) -> Iterable[executable.Executable]:
    yield target.elf
    debug = target.debug_file()
    if debug is not None:
        yield debug


def _chosen(target: Target, name: str) -> executable.Symbol:
    from bpfimg.bytecode import executable

    found: tuple[executable.Symbol, ...] = ()
    imported = False
    for elf in _files(target):
        try:
            symbols = executable.named(elf, name)
        except BytecodeError as error:
            raise AttachError(f"{target.shown} cannot be probed: {error}") from error
        imported = imported or any(not symbol.defined for symbol in symbols)
        found = tuple(symbol for symbol in symbols if symbol.defined)
        if found:
            break
    if not found:
        raise _missing(target, name, imported=imported)
    code = [symbol for symbol in found if symbol.kind in ("function", "label", "ifunc")]
    if not code:
        raise AttachError(f"{quoted(name)} of {target.shown} is a variable, expected a function")
    return _one(target, name, code)


def _one(target: Target, name: str, found: Sequence[executable.Symbol]) -> executable.Symbol:
    """The default version before others, what is visible before what is local; one address in the end."""
    if len({symbol.address for symbol in found}) > 1:
        best = min((not symbol.default, _RANKS.get(symbol.bind, 3)) for symbol in found)
        found = [symbol for symbol in found if (not symbol.default, _RANKS.get(symbol.bind, 3)) == best]
    if len({symbol.address for symbol in found}) > 1:
        offsets = [target.elf.file_offset(symbol.address) for symbol in found]
        shown = ", ".join(f"--offset {offset:#x}" for offset in offsets[:8] if offset is not None)
        raise AttachError(
            f"{target.shown} has {len(found)} functions called {quoted(name)}, expected one",
            hint=f"choose one by its place in the file, without --function: {shown}",
        )
    if found[0].kind == "ifunc":
        raise AttachError(
            f"{quoted(name)} of {target.shown} is chosen when a process starts (an IFUNC): a probe at its name would"
            " see the choice, not the calls",
            hint=_implementations(target, found[0].name),
        )
    return found[0]


def _implementations(target: Target, name: str) -> str:
    from bpfimg.bytecode import executable

    names = {
        symbol.name
        for elf in _files(target)
        for symbol in executable.functions(elf)
        if symbol.kind == "function" and symbol.name.lstrip("_").startswith(f"{name}_")
    }
    if names:
        return f"probe what is chosen: {', '.join(sorted(names)[:8])}"
    return "install the debug symbols of the library: they name what is chosen from, such as __memcpy_avx_unaligned"


def _missing(target: Target, name: str, *, imported: bool) -> AttachError:
    message = f"{target.shown} has no function {quoted(name)}"
    if imported:
        hint = "it calls that of a shared library: give the library as the target, and --pid for one process"
        return AttachError(f"{message} of its own", hint=hint)
    near = _near(target, name)
    return AttachError(message, hint=f"near it: {', '.join(near)}" if near else _what_there_is(target))


def _near(target: Target, name: str) -> list[str]:
    """Names that hold the word, or that are nearly it."""
    from difflib import get_close_matches

    from bpfimg.bytecode import executable

    wanted = name.partition("@")[0].lower()
    inside: set[str] = set()
    alike: set[str] = set()
    for elf in _files(target):
        for symbol in executable.functions(elf):
            low = symbol.name.lower()
            if wanted in low:
                inside.add(symbol.full)
            elif abs(len(low) - len(wanted)) <= 3 and low[:1] == wanted[:1] and len(alike) < _LOOKED_AT:
                alike.add(symbol.name)
    found = [quoted(each)[1:-1] for each in sorted(inside, key=lambda each: (len(each), each))[:_NEAR]]
    return found or [quoted(each)[1:-1] for each in get_close_matches(name, sorted(alike), _NEAR, 0.6)]


def _what_there_is(target: Target) -> str:
    from bpfimg.bytecode import executable

    if next(iter(executable.functions(target.elf)), None) is None:
        return "the file is stripped: install its debug symbols, or give --offset, the place in the file"
    return f"`bpfimg hooks uprobe {target.path}` lists its functions"

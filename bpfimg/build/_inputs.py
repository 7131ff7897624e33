"""Which file goes into which platform's image: what the caller said, what bpf2go's names say, and never a guess."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted
from bpfimg.image import bpf2go

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bpfimg.oci import Platform

    _Wanted = list[tuple["Input", tuple[Platform, ...] | None]]

__all__ = ["Input", "Slot", "assigned", "inputs", "platforms", "slots"]

_MANY = "write linux/amd64=FILE; a BPF object records its byte order but not its architecture"


@value(frozen=True, slots=True)
class Input:
    """One word of the caller: a file, and the platforms that the word names, if it names any."""

    path: str
    platforms: tuple[Platform, ...] = ()


@value(frozen=True, slots=True)
class Slot:
    """One image to make: its platform, and the file that it is made of (several when they are to be linked)."""

    platform: Platform
    paths: tuple[str, ...]


def slots(
    words: Sequence[str],
    *,
    asked: Sequence[str] = (),
    link: bool = False,
    warn: Callable[[str], None] | None = None,
) -> tuple[Slot, ...]:
    """Which file each platform gets, by words as `bpfimg build` takes them: see `inputs` and `assigned`.

    `asked` are texts such as `linux/amd64,linux/arm64`; without any, a single file is for this machine.
    """
    from bpfimg.oci import Platform

    wanted = platforms(",".join(asked)) if asked else ()
    return tuple(assigned(inputs(words, warn=warn), wanted, Platform.host(), link=link))


def inputs(words: Sequence[str], *, warn: Callable[[str], None] | None = None) -> list[Input]:
    """The inputs that words name: FILE, linux/ARCH=FILE, linux/ARCH,linux/ARCH=FILE, or a folder of objects.

    Of a folder its objects with bpf2go's names are taken, or its one `*.bpf.o`; other `.o` files are left out, and
    `warn` is told their names. Raises UsageError for words that break the grammar and for folders without objects.
    """
    found: list[Input] = []
    for word in words:
        one = _input(word)
        if os.path.isdir(one.path):
            found += [Input(path, one.platforms) for path in _folder(one.path, warn)]
        else:
            found.append(one)
    return found


def platforms(text: str) -> tuple[Platform, ...]:
    """The platforms of `linux/amd64,linux/arm64`; UsageError for one that is none, and for one that stands twice."""
    from bpfimg.oci import Platform

    found = tuple(Platform.parse(word) for word in text.split(","))
    for platform in found:
        if found.count(platform) > 1:
            raise UsageError(f"{platform} stands twice in {quoted(text)}, expected each platform once")
    return found


def _input(word: str) -> Input:
    left, equals, right = word.partition("=")
    if equals and left.startswith("linux/"):
        if not right:
            raise UsageError(f"{quoted(word)} names no file, expected linux/ARCH=FILE")
        return Input(right, platforms(left))
    return Input(word)


def _folder(path: str, warn: Callable[[str], None] | None) -> list[str]:
    try:
        names = sorted(name for name in os.listdir(path) if name.endswith(".o"))
    except OSError as error:
        raise UsageError(f"the folder {quoted(path)} cannot be read: {error.strerror}") from error
    generated = [name for name in names if bpf2go(name)]
    plain = [name for name in names if name.endswith(".bpf.o") and name not in generated]
    taken = generated or plain
    stems = sorted({entry.stem for name in generated if (entry := bpf2go(name))}) or plain
    if len(stems) != 1:
        what = f"objects of {len(stems)} programs ({_some(stems)})" if stems else "no eBPF object that a name tells"
        hint = "objects are NAME_x86_bpfel.o and the like (bpf2go), or one NAME.bpf.o; else name the file itself"
        raise UsageError(f"the folder {quoted(path)} has {what}, expected those of one program", hint=hint)
    others = [name for name in names if name not in taken]
    if others and warn is not None:
        warn(f"{quoted(path)}: left out {_some(others)}, which are not named as objects of {quoted(stems[0])}")
    return [os.path.join(path, name) for name in taken]


def _some(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(map(quoted, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def assigned(given: Sequence[Input], asked: Sequence[Platform], host: Platform, *, link: bool = False) -> list[Slot]:
    """Which file (with `link`, files) each platform gets; `asked` are the platforms that the caller wants, if any.

    A word that names its platforms gets those, bpf2go's name those that it stands for, a single file all that are
    asked for, else `host`. With `link`, a file without platform is part of every platform's object. Raises UsageError
    where two files want one platform, where several have none, and for a platform that is asked for and gets nothing.
    """
    if not given:
        raise UsageError("no input, expected an object file or a C source")
    wanted = [(one, _wanted(one, asked)) for one in given]
    found = (_joined if link else _alone)(wanted, asked, host)
    missing = [str(platform) for platform in asked if platform not in found]
    if missing:
        raise UsageError(f"there is no input for {', '.join(missing)}, expected one for each platform asked for")
    return [Slot(platform, paths) for platform, paths in found.items()]


def _wanted(one: Input, asked: Sequence[Platform]) -> tuple[Platform, ...] | None:
    """The platforms that an input is for; None when neither the word nor the file's name tells."""
    from bpfimg.image import MACHINES
    from bpfimg.oci import Platform

    if one.platforms:
        stray = [str(platform) for platform in one.platforms if asked and platform not in asked]
        if stray:
            raise UsageError(f"{quoted(one.path)} is for {', '.join(stray)}, which --platform does not name")
        return one.platforms
    name = bpf2go(one.path)
    if name is not None and name.machine and not name.architectures:
        what = f"is for {name.machine} by its name, which is not {name.byte_order}-endian"
        raise UsageError(f"{quoted(one.path)} {what}, expected another name")
    if name is None or not (asked or name.architectures):
        return None
    if not asked:
        return (Platform("linux", name.architectures[0]),)
    of_order = [each for each in asked if MACHINES.get(each.architecture, ("",))[0] == name.byte_order]
    fitting = [each for each in of_order if not name.architectures or each.architecture in name.architectures]
    if not fitting:
        what = " or ".join(name.architectures) or f"{name.byte_order}-endian machines"
        raise UsageError(f"{quoted(one.path)} is for {what} by its name, which --platform does not name")
    return tuple(fitting)


def _alone(wanted: _Wanted, asked: Sequence[Platform], host: Platform) -> dict[Platform, tuple[str, ...]]:
    found: dict[Platform, tuple[str, ...]] = {}
    for one, fitting in wanted:
        if fitting is None and len(wanted) > 1:
            expected = "--platform or linux/ARCH=FILE" if bpf2go(one.path) else "linux/ARCH=FILE"
            message = f"{quoted(one.path)} has no platform, expected {expected} where there are several inputs"
            raise UsageError(message, hint=_MANY)
        for platform in fitting or asked or (host,):
            if platform in found:
                both = f"{quoted(found[platform][0])} and {quoted(one.path)} are both for {platform}"
                hint = "--link makes one object of several"
                raise UsageError(f"{both}, expected one input for each platform (BI-28)", hint=hint)
            found[platform] = (one.path,)
    return found


def _joined(wanted: _Wanted, asked: Sequence[Platform], host: Platform) -> dict[Platform, tuple[str, ...]]:
    named: Iterable[Platform] = [platform for _, fitting in wanted for platform in fitting or ()]
    everything = tuple(dict.fromkeys(asked or named or (host,)))
    found: dict[Platform, tuple[str, ...]] = {}
    for one, fitting in wanted:
        for platform in fitting or everything:
            if one.path in found.get(platform, ()):
                raise UsageError(f"{quoted(one.path)} stands twice, expected each object once")
            found[platform] = (*found.get(platform, ()), one.path)
    return found

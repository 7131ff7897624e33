"""The lines of a list of images to copy, checked before the first byte moves."""

from __future__ import annotations

import os
import sys

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpfimg.oci import Reference

__all__ = ["Job", "jobs", "jobs_for", "read_list"]

_LIMIT = 16 << 20


@value(frozen=True, slots=True)
class Job:
    """One image to copy: what the list says (`line` counts from 1, 0 without a list), and where it goes, in full."""

    line: int
    source: str
    destination: str

    @property
    def key(self) -> tuple[str, str]:
        """The same for the same job in another list; relative paths mean another place in another folder."""
        from bpfimg.oci import places

        where = places.Location.parse(self.destination)
        path = f"{where.transport}:{os.path.abspath(where.path)}:{where.reference}" if where.path else self.destination
        return self.source, path


def read_list(path: str) -> str:
    """The text of the list, `-` is stdin; UsageError when it cannot be read."""
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(_LIMIT + 1)
        else:
            with open(path, "rb") as file:
                raw = file.read(_LIMIT + 1)
        if len(raw) > _LIMIT:
            raise UsageError(f"the list {quoted(path)} has more than {_LIMIT} bytes, expected one image a line")
        return raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(f"the list {quoted(path)} cannot be read: {reason}") from error


def jobs(text: str, destination: str | None) -> list[Job]:
    """The images that the list names, each once; UsageError, with the line, for one that cannot be meant.

    With `destination`, the place where all of them go, lines have a source alone.
    """
    everywhere = _Everywhere(destination) if destination is not None else None
    found: dict[str, Job] = {}
    for number, words in _lines(text):
        try:
            job = _job(number, words, everywhere)
            other = found.setdefault(job.destination, job)
            if other.source != job.source:
                raise UsageError(f"it goes to {quoted(job.destination)}, as line {other.line} does")
        except UsageError as error:
            raise UsageError(f"line {number} of the list: {error}", hint=error.hint) from error
    return list(found.values())


def jobs_for(names: Iterable[str], before: str, destination: str) -> tuple[list[Job], list[str]]:
    """The images of a place by name, as `before` and the name say them, and the names that cannot go to `destination`.

    UsageError when two of them would be one there, or it is no place for all.
    """
    everywhere = _Everywhere(destination)
    found: dict[str, Job] = {}
    left: list[str] = []
    for name in names:
        there = everywhere.for_name(name)
        if there is None:
            left.append(name)
            continue
        job = Job(0, f"{before}{name}", there)
        other = found.setdefault(there, job)
        if other.source != job.source:
            raise UsageError(f"{quoted(other.source)} and {quoted(job.source)} both go to {quoted(there)}")
    return list(found.values()), left


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.splitlines(), 1):
        words = []
        for word in line.split():
            if word.startswith("#"):
                break
            words.append(word)
        if words:
            yield number, words


def _job(number: int, words: list[str], everywhere: _Everywhere | None) -> Job:
    from bpfimg.oci import places

    if everywhere is not None:
        if len(words) != 1:
            raise UsageError(
                f"it has {_count(words)}, expected SRC alone: DST is given once, {quoted(everywhere.text)}"
            )
        return Job(number, words[0], everywhere.for_source(words[0]))
    if len(words) != 2:
        raise UsageError(
            f"it has {_count(words)}, expected SRC DST",
            hint="SRC alone needs a place for all of them: bpfimg copy --from-file LIST oci:DIR",
        )
    source, destination = words
    _named(source)
    where = places.Location.parse(destination)
    if where.path and not where.reference:
        destination = _Everywhere(destination).for_source(source)
    elif not where.path:
        _reference(where.reference)
    return Job(number, source, destination)


def _count(words: list[str]) -> str:
    return "1 word" if len(words) == 1 else f"{len(words)} words"


class _Everywhere:
    """A place where all images of a list go, under their own names."""

    def __init__(self, text: str) -> None:
        from bpfimg.cli._places import BARE
        from bpfimg.oci import places

        self.text = text
        self._prefix = text
        self._tags = False  # whether a tag alone is a name there
        if text in BARE:
            return
        where = places.Location.parse(text)
        if where.path and not where.reference:
            self._prefix = f"{text}:"
            self._tags = where.transport in ("oci", "oci-archive")
        elif where.transport in ("", "registry"):
            # the repository of an image goes below it, without its host: as mirrors of registries.conf(5) have it
            self._prefix = where.reference.rstrip("/") + "/"
            _reference(f"{self._prefix}x")
        else:
            raise UsageError(
                f"{quoted(text)} is a name for one image, expected a place for all: oci:DIR, oci-archive:FILE, store: "
                "or registry:HOST/PREFIX"
            )

    def for_source(self, source: str) -> str:
        """The destination of one image."""
        reference = _named(source)
        if reference is None:
            raise UsageError(
                f"{quoted(source)} does not say the image's name, expected DST behind it, or its name in SRC"
            )
        return self._below(reference)

    def for_name(self, name: str) -> str | None:
        """The destination of what is called that in a layout: a full reference or, where they do, a bare tag."""
        try:
            reference = _reference(name)
            if str(reference) == name:
                return self._below(reference)
            _reference(f"localhost/any:{name}")
        except UsageError:
            return None
        return f"{self._prefix}{name}" if self._tags and not set(name) & set("/:@") else None

    def _below(self, reference: Reference) -> str:
        end = f":{reference.tag}" if reference.tag else f"@{reference.digest}"
        if self._prefix.endswith("/"):
            return f"{self._prefix}{reference.repository.path}{end}"
        return f"{self._prefix}{reference.repository}{end}"


def _named(source: str) -> Reference | None:
    """The full name that a source says, None for a path without one."""
    from bpfimg.cli._places import names
    from bpfimg.oci import places

    where = places.Location.parse(source)
    if where.path:
        full = set(where.reference) & set("/:@")
        return _reference(where.reference) if full and not where.reference.startswith("@") else None
    if where.transport:
        return _reference(where.reference)
    found = names(where.reference)
    if len(found) != 1:
        raise UsageError(
            f"the short name {quoted(source)} may be any of {', '.join(map(str, found))}, expected a full one"
        )
    return found[0]


def _reference(text: str) -> Reference:
    from bpfimg.oci import Reference

    return Reference.parse(text)

"""Where one repository is: its mirrors, from which it is read, and its own place (containers-registries.conf(5)).

A mirror never makes an answer wrong: what it lacks or has spoiled is read from the next, and what was written to is
read where it was written.
"""

from __future__ import annotations

from bpfimg._value import replace
from bpfimg.errors import DigestMismatch, ImageError, NotFound, RegistryError
from bpfimg.oci._check import checked
from bpfimg.oci._http._download import download_blob
from bpfimg.oci._http._patience import TRY_AGAIN
from bpfimg.oci._http._wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._http._connections import Connections
    from bpfimg.oci._reference import Repository
    from bpfimg.oci._settings._options import RegistryOptions
    from bpfimg.oci._settings._registries import Endpoint

    T = TypeVar("T")


class Endpoints:
    """The places of `repository`, opened when they are needed. Safe for threads."""

    def __init__(self, repository: Repository, options: RegistryOptions, connections: Connections) -> None:
        self._repository = repository
        self._options = options
        self._connections = connections
        self._wires: dict[Endpoint, Wire] = {}
        self._written = False
        self._sources: dict[bool, tuple[Wire, ...]] = {}
        self._target: Wire | None = None

    def fix(self, wire: Wire) -> None:
        """Reads and writes at `wire` alone from now on."""
        self._target, self._written = wire, True

    @property
    def target(self) -> Wire:
        """The place to write to; whoever asks for it writes, and reads there as well from now on."""
        self._written = True
        if self._target is None:
            self._target = self._wire(self._options.registries.destination(self._repository))
        return self._target

    def sources(self, *, by_digest: bool) -> tuple[Wire, ...]:
        """Returns where to read, mirrors that answered until now before the repository's own place."""
        if self._written:
            return (self.target,)
        found = self._sources.get(by_digest)
        if found is None:
            places = self._options.registries.endpoints(self._repository, by_digest=by_digest)
            found = self._sources[by_digest] = tuple(self._wire(place) for place in places)
        *mirrors, last = found
        return (*(wire for wire in mirrors if not self._connections.is_down(wire.base, wire.path)), last)

    def read(self, look: Callable[[Wire], T], *, by_digest: bool) -> T:
        """Returns what `look` finds at the first place that has it; its errors are those of the last place."""
        *mirrors, last = self.sources(by_digest=by_digest)
        for wire in mirrors:
            try:
                return look(wire)
            except (RegistryError, DigestMismatch, ImageError) as error:
                self.pass_over(wire, error)
        return look(last)

    def read_evidence(self, look: Callable[[Wire], T], *, by_digest: bool) -> T:
        """Returns what the repository's own place says of signatures and the like.

        A mirror often has none of them, or those of yesterday, or those that somebody likes: it would hide the others.
        It is asked only when that place cannot be reached.
        """
        *mirrors, last = self.sources(by_digest=by_digest)
        try:
            return look(last)
        except RegistryError as error:
            if error.status or not mirrors:
                raise
            unreachable = error
        lacking: list[T | NotFound] = []
        for wire in mirrors:
            try:
                if found := look(wire):
                    return found
                lacking.append(found)
            except NotFound as error:
                lacking.append(error)
            except (RegistryError, DigestMismatch, ImageError) as error:
                self.pass_over(wire, error)
        if not lacking:
            raise unreachable
        self._options.warn(f"{unreachable}; a mirror has none")
        if isinstance(lacking[0], NotFound):
            raise lacking[0] from unreachable
        return lacking[0]

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Yields the content of a blob, checked, going on at the next place where one breaks off.

        DigestMismatch when it is something else; then the mirrors are not asked for this repository again.
        """
        *mirrors, _ = self.sources(by_digest=True)
        try:
            yield from checked(descriptor, self._pieces(descriptor), str(self._repository))
        except DigestMismatch:
            for wire in mirrors:
                self._connections.mark_down(wire.base, wire.path)
            raise

    def _pieces(self, descriptor: Descriptor) -> Iterator[bytes]:
        *mirrors, last = self.sources(by_digest=True)
        at = 0
        for wire in mirrors:
            try:
                for piece in download_blob(wire, descriptor, at):
                    at += len(piece)
                    yield piece
            except (RegistryError, DigestMismatch) as error:
                self.pass_over(wire, error)
            else:
                return
        yield from download_blob(last, descriptor, at)

    def pass_over(self, wire: Wire, error: Exception) -> None:
        """Takes note of a mirror that lacks something, or fails: that one is not asked again in this process, or not
        for this repository."""
        if not isinstance(error, NotFound):
            unwell = isinstance(error, RegistryError) and (error.status in TRY_AGAIN or not error.status)
            self._connections.mark_down(wire.base, "" if unwell else wire.path)
        self._connections.say(f"the mirror {wire.host} is passed over: {error}")

    def _wire(self, endpoint: Endpoint) -> Wire:
        found = self._wires.get(endpoint)
        if found is None:
            # the next place is a better second try than the same mirror again, and the user's password was for the
            # registry that they named
            theirs = replace(self._options, waits=(), username=None, password=None)
            options = theirs if endpoint.mirror else self._options
            made = Wire(endpoint.repository, options, self._connections, insecure=endpoint.insecure)
            found = self._wires.setdefault(endpoint, made)
        return found

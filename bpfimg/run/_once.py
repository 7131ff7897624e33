"""Programs of a believed image that run once, when they are called, and leave nothing: iterators and syscall programs.

They come by the way of `image`: a `VerifiedImage`, the bytes that were verified, the globals, the history. Nothing is
pinned and nothing recorded: when the call returns, programs and maps have left the kernel.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager

from bpfimg._value import value
from bpfimg.errors import AttachError, KernelError, NotSupported, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bpfimg.bytecode import ProgramSpec
    from bpfimg.kernel import Fd
    from bpfimg.load import Host, Prepared, maps
    from bpfimg.oci import Source
    from bpfimg.sign import VerifiedImage

    Warn = Callable[[str], None]

MOST_CONTEXT = 0xFFFF  # bytes, as the kernel has it
_CHUNK = 1 << 16
_ORDERS = {"self": 1, "descendants": 2, "ancestors": 4}  # enum bpf_cgroup_iter_order
_MAP_ITERATORS = ("bpf_map_elem", "bpf_sk_storage_map", "sockmap")


@value(frozen=True, slots=True)
class Walk:
    """What an iterator walks: the entries of `map` (one of the object's, an id or a pin), the process `pid` alone, or
    the control group at `cgroup` and by `order` those below it (descendants), itself, or those above it (ancestors).

    Most walk everything of their kind, and take none of these.
    """

    map: str | None = None
    pid: int | None = None
    cgroup: str | None = None
    order: str = "descendants"

    def __post_init__(self) -> None:
        if self.order not in _ORDERS:
            raise UsageError(f"{quoted(self.order)} is no order, expected {', '.join(_ORDERS)}")
        if self.pid is not None and not 0 < self.pid < 1 << 31:
            raise UsageError(f"pid {self.pid} is out of range, expected the number of a process")


@value(frozen=True, slots=True)
class Called:
    """A program that has run: `id` is what the kernel called it. After a dry run it has not, and `id` is 0.

    `result` and `context` are of a program of type syscall: what it returned, and what its memory holds now.
    """

    id: int
    program: str
    result: int | None = None
    context: bytes = b""


def iterate(
    host: Host,
    source: Source,
    verified: VerifiedImage,
    write: Callable[[bytes], object],
    *,
    walk: Walk | None = None,
    programs: Sequence[str] = (),
    globals: Mapping[str, str] | None = None,
    sharing: maps.Sharing | None = None,
    dry_run: bool = False,
    warn: Warn = lambda sentence: None,
) -> Called:
    """Runs the image's iterator (SEC("iter/…")) over what it walks, and gives what it writes to `write`, as it comes.

    UsageError: the image has none, or several and `programs` chooses none of them; or the walk is not for this one.
    """
    from bpfimg.kernel import bpf

    with _loaded(
        host,
        source,
        verified,
        "iter",
        programs=programs,
        globals=globals,
        sharing=sharing,
        dry_run=dry_run,
        warn=warn,
    ) as (prepared, spec):
        target = _target(spec, walk or Walk())
        if dry_run:
            return Called(0, spec.name)
        (program,) = prepared.loaded
        with _narrowed(prepared, target) as info:
            try:
                link = bpf.link_iterator(program.fd, info)
            except KernelError as error:
                raise _not_linked(error, spec) from error
            with link, bpf.iterator(link) as text:
                _copy(text, write)
        return Called(program.id, program.name)


def call(
    host: Host,
    source: Source,
    verified: VerifiedImage,
    context: bytes = b"",
    *,
    programs: Sequence[str] = (),
    globals: Mapping[str, str] | None = None,
    sharing: maps.Sharing | None = None,
    dry_run: bool = False,
    warn: Warn = lambda sentence: None,
) -> Called:
    """Runs the image's program of type syscall (SEC("syscall")) once, on that memory; returns what it answered."""
    from bpfimg.kernel import bpf

    if len(context) > MOST_CONTEXT:
        raise UsageError(f"the context has {len(context)} bytes, expected at most {MOST_CONTEXT}")
    with _loaded(
        host,
        source,
        verified,
        "syscall",
        programs=programs,
        globals=globals,
        sharing=sharing,
        dry_run=dry_run,
        warn=warn,
    ) as (prepared, spec):
        if dry_run:
            return Called(0, spec.name)
        (program,) = prepared.loaded
        try:
            result, after = bpf.run_context(program.fd, context)
        except KernelError as error:
            if error.errno != errno.EINVAL:
                raise
            raise UsageError(
                f"program {spec.name} uses more than a context of {len(context)} bytes, expected all that it uses",
                hint="--context hex:00112233… or @FILE gives it; `bpfimg inspect` shows the type of its argument",
            ) from error
        return Called(program.id, program.name, result, after)


@contextmanager
def _loaded(
    host: Host,
    source: Source,
    verified: VerifiedImage,
    word: str,
    *,
    programs: Sequence[str],
    globals: Mapping[str, str] | None,
    sharing: maps.Sharing | None,
    dry_run: bool,
    warn: Warn,
) -> Iterator[tuple[Prepared, ProgramSpec]]:
    """The one program that fits, in the kernel until the block ends; asked for in a dry run, too."""
    from bpfimg.load import prepare
    from bpfimg.run._image import accepting
    from bpfimg.run._proven import proven

    fetched = proven(source, verified, None, warn)
    name = verified.reference.repository.path.rpartition("/")[2]
    spec = _chosen(fetched.object.programs, word, programs)
    with prepare(fetched.bytecode, name=name, programs=(spec.name,), globals=globals, sharing=sharing) as prepared:
        home = f"file:{verified.file}" if verified.file else str(verified.reference)
        prepared.share(host, name, home=home)
        if dry_run:
            prepared.load()
            yield prepared, spec
            return
        with accepting(verified, name, warn) as accept:
            prepared.load()
            accept()
        yield prepared, spec


def _chosen(all: Sequence[ProgramSpec], word: str, names: Sequence[str]) -> ProgramSpec:
    fitting = [each for each in all if _fits(each, word)]
    listed = ", ".join(f"{each.name} ({each.section})" for each in (fitting or all)[:20])
    if names:
        wanted = {name.rpartition(":")[2] for name in names}
        fitting = [each for each in fitting if each.name in wanted]
        if len(names) > 1 or not fitting:
            raise UsageError(
                f"{', '.join(map(quoted, names))} is not one program for {word}, expected one",
                hint=f"there is {listed}",
            )
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise UsageError(
            f'the image has no program for {word}, expected one in SEC("{word}…")', hint=f"it has {listed}"
        )
    raise UsageError(
        f"the image has {len(fitting)} programs for {word}, expected the name of one",
        hint=f"choose with --program: {listed}",
    )


def _fits(spec: ProgramSpec, word: str) -> bool:
    return spec.type == "syscall" if word == "syscall" else spec.attach_type == "trace_iter"


def _target(spec: ProgramSpec, walk: Walk) -> tuple[str, Walk]:
    """(What it walks, narrowed by that); UsageError for a narrowing that the kernel would not heed."""
    kind = spec.target or ""
    for option, given, fits in (
        ("--map", walk.map, kind in _MAP_ITERATORS),
        ("--pid", walk.pid, kind.startswith("task")),
        ("--cgroup", walk.cgroup, kind == "cgroup"),
    ):
        if given is not None and not fits:
            raise UsageError(f"{option} does not go with program {spec.name}, which walks {kind or 'nothing yet'}")
    if kind in _MAP_ITERATORS and walk.map is None:
        raise UsageError(f"program {spec.name} walks the entries of a map, expected --map NAME, ID or PIN")
    return kind, walk


@contextmanager
def _narrowed(prepared: Prepared, target: tuple[str, Walk]) -> Iterator[bytes]:
    """The `union bpf_iter_link_info` for it; what it names is open until the block ends."""
    kind, walk = target
    if walk.map is not None:
        with _map(prepared, walk.map) as fd:
            yield _word(fd)
    elif walk.pid is not None:
        yield _word(0) + _word(walk.pid)
    elif kind == "cgroup":
        with _cgroup(walk.cgroup) as fd:
            yield _word(_ORDERS[walk.order]) + _word(fd)
    else:
        yield b""


def _word(number: int) -> bytes:
    return number.to_bytes(4, sys.byteorder)


@contextmanager
def _map(prepared: Prepared, name: str) -> Iterator[int]:
    """One of the object's own maps, or another by its kernel id or the path of its pin."""
    from bpfimg.kernel import bpf, bpffs

    own = dict(prepared.maps)
    if name in own:
        yield own[name]
        return
    if "/" not in name and not (name.isascii() and name.isdigit() and len(name) <= 10):
        raise UsageError(
            f"there is no map {quoted(name)}, expected an id, the path of a pin or {', '.join(own) or 'a name'}"
        )
    with bpf.get(name) if "/" in name else bpf.map_by_id(int(name)) as fd:
        if bpf.kind(fd) == "map" and bpf.map_info(fd).name == bpffs.RECORD_NAME:  # iterators may write what they walk
            raise UsageError(f"map {quoted(name)} is a record of bpfimg, expected a map for programs")
        yield fd.fileno()


@contextmanager
def _cgroup(path: str | None) -> Iterator[int]:
    if path is None:
        yield 0  # the uppermost
        return
    from bpfimg.kernel import cgroups

    with cgroups.opened(cgroups.absolute(path)) as fd:
        yield fd.fileno()


def _copy(text: Fd, write: Callable[[bytes], object]) -> None:
    while True:
        try:
            chunk = os.read(text.fileno(), _CHUNK)
        except BlockingIOError:
            continue  # it has looked at very many things of which it writes nothing, and lets others run
        except OSError as error:
            raise KernelError(f"the iterator cannot be read: {error.strerror}", errno=error.errno or 0) from error
        if not chunk:
            return
        write(chunk)


def _not_linked(error: KernelError, spec: ProgramSpec) -> KernelError | AttachError:
    if error.errno == errno.ESRCH:
        return AttachError(f"program {spec.name} cannot walk a process that is not there")
    if error.errno == errno.EINVAL and spec.target == "cgroup":
        from bpfimg.kernel import features

        if features.has("iter"):
            return NotSupported(
                "this kernel has no iterator of control groups", feature="iter-cgroup", errno=error.errno
            )
    if error.errno == errno.EINVAL and spec.target in _MAP_ITERATORS:
        return AttachError(f"program {spec.name} cannot walk that map: it is of another kind, or has other sizes")
    return KernelError(f"cannot run iterator {spec.name}: {error}", errno=error.errno, hint=error.hint)

"""A believed image into the kernel, where it stays."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bpfimg.kernel import bpf
    from bpfimg.load import Hook, Host, LinkRecord, Load, maps
    from bpfimg.load import hooks as hook_values
    from bpfimg.oci import Platform, Source
    from bpfimg.run._plan import Plan
    from bpfimg.sign import VerifiedImage


@value(frozen=True, slots=True)
class Running:
    """What was loaded, with its links if it was attached; `kernel` is what the kernel says of its programs, in order.

    After a dry run ids are 0, paths and `kernel` are empty, and there is no link: `plan` says what would be.
    """

    load: Load
    kernel: tuple[bpf.ProgramInfo, ...]
    plan: Plan | None = None

    @property
    def dry_run(self) -> bool:
        """True when nothing was changed."""
        return self.plan is not None

    @property
    def link(self) -> LinkRecord | None:
        """The first attachment; None when it was only loaded. All of them are `load.links`."""
        return self.load.links[0] if self.load.links else None


def image(
    host: Host,
    source: Source,
    verified: VerifiedImage,
    *,
    hook: Hook | None,
    hooks: Sequence[tuple[str | None, Hook]] | hook_values.BySection = (),
    programs: Sequence[str] = (),
    globals: Mapping[str, str] | None = None,
    sharing: maps.Sharing | None = None,
    metadata: Mapping[str, str] | None = None,
    name: str | None = None,
    pull: str = "missing",
    replaces: Load | None = None,
    allow_gap: bool = False,
    alone: bool = False,
    dry_run: bool = False,
    platform: Platform | None = None,
    warn: Callable[[str], None] = lambda sentence: None,
) -> Running:
    """Loads the image, and attaches its program to `hook` (None: only loads): all of it, or nothing.

    `hooks` are (program, its hook) in its place, or say that each goes where its section says. `programs` chooses by
    NAME, TYPE:NAME or TYPE:NAME:TARGET; needed only where several fit the hook: of several that are named those that
    fit are attached, and the rest is loaded with them. `globals` are set before the load, by their BTF types; `sharing`
    says which maps are taken from others. `name` is what it is known by here, else the last word of the repository;
    `pull` is only written down. `dry_run` does everything that changes nothing, a load into the kernel that is closed
    again among it: raises what the kernel would refuse. `platform` is this machine's unless given; `warn` is told when
    the image was made for another one (BI-26).

    `replaces` is a load in whose place it is put, without a moment in which neither runs; where the kernel does not let
    that be it is Busy, unless `allow_gap` lets the old one go first. `alone`: an Error when by then another load has
    that name.

    Where the policy does not let a repository go back, it is asked once more under the lock, and what was accepted is
    written down when it is loaded: VerificationError when a newer version was loaded meanwhile.
    """
    from bpfimg.load import Origin, prepare
    from bpfimg.load import check as check_hook
    from bpfimg.run._proven import proven
    from bpfimg.run._record import image_record

    fetched = proven(source, verified, platform, warn)
    manifest = fetched.descriptor or verified.descriptor
    known_as = name or verified.reference.repository.path.rpartition("/")[2]
    record = image_record(verified, manifest.digest, pull)
    origin, home = Origin(known_as, record, metadata), "" if name else record.reference
    if hook is not None:
        check_hook(hook)
    with prepare(
        fetched.bytecode,
        name=known_as,
        programs=programs,
        hook=hook,
        hooks=hooks,
        globals=globals,
        sharing=sharing,
        host=host,
    ) as prepared:
        for _, each in prepared.attach if hook is None else ():
            check_hook(each)
        if dry_run:
            from bpfimg.load import Load
            from bpfimg.run._plan import plan

            prepared.share(host, known_as, home=home)
            planned = plan(host, prepared, origin)
            return Running(Load(0, "", planned.record), (), planned)
        with ExitStack() as stack:
            first = stack.enter_context(host.writer()) if prepared.alone else None
            prepared.share(host, known_as, home=home)
            prepared.load()
            writer = first or stack.enter_context(host.writer())
            accept = stack.enter_context(accepting(verified, known_as, warn))
            loaded = writer.bring(prepared, origin, replaces=replaces, allow_gap=allow_gap, alone=alone)
            accept()
        return Running(loaded, prepared.infos())


@contextmanager
def accepting(verified: VerifiedImage, name: str, warn: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Asks the history once more: while this one was verified, a newer one may have been loaded. Gives what notes that
    it was accepted, for when it runs: there is no way back from there, and an error would say that it does not."""
    if verified.history is None or verified.mark is None:
        yield lambda: None
        return
    with verified.history.accepting(verified.repository, verified.mark) as note:

        def accept() -> None:
            try:
                note()
            except OSError as error:
                warn(f"{name} is loaded, but the history could not note that: {error.strerror}")

        yield accept


def load(
    host: Host,
    source: Source,
    verified: VerifiedImage,
    *,
    programs: Sequence[str] = (),
    globals: Mapping[str, str] | None = None,
    sharing: maps.Sharing | None = None,
    metadata: Mapping[str, str] | None = None,
    name: str | None = None,
    pull: str = "missing",
    dry_run: bool = False,
    warn: Callable[[str], None] = lambda sentence: None,
) -> Running:
    """Loads the image without attaching anything; see `image`."""
    return image(
        host,
        source,
        verified,
        hook=None,
        programs=programs,
        globals=globals,
        sharing=sharing,
        metadata=metadata,
        name=name,
        pull=pull,
        dry_run=dry_run,
        warn=warn,
    )

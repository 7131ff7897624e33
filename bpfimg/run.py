"""A believed image to a running program, and back.

`image` takes a `VerifiedImage`, which only `sign.verify` can make, and reads the very bytes that were verified: by
digest, from the same source. It is the only place that hands bytes to the loader.
"""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bpfimg.kernel import bpf
    from bpfimg.load import Hook, Host, ImageRecord, LinkRecord, Load
    from bpfimg.oci import Descriptor, Platform, Reference, Source, Target, places
    from bpfimg.sign import VerifiedImage

__all__ = ["PULL_POLICIES", "Running", "attach", "check_platforms", "detach", "fetch", "image", "load", "unload"]

#: when the registry is asked, as `fetch` explains
PULL_POLICIES = ("always", "missing", "newer", "never")


@value(frozen=True, slots=True)
class Running:
    """What was loaded, with its link if it was attached; `kernel` is what the kernel says of its programs, in order.

    After a dry run ids are 0, paths and `kernel` are empty, and there is no link.
    """

    load: Load
    kernel: tuple[bpf.ProgramInfo, ...]
    dry_run: bool = False

    @property
    def link(self) -> LinkRecord | None:
        """The attachment; None when it was only loaded."""
        return self.load.links[0] if self.load.links else None


def fetch(
    store: Target,
    registry: Callable[[], Source],
    reference: Reference,
    *,
    pull: str = "missing",
    platforms: Sequence[Platform] | None = None,
    lenient: bool = False,
    limits: places.Limits | None = None,
    progress: places.Progress | None = None,
    warn: Callable[[str], None] = lambda sentence: None,
) -> Descriptor:
    """Returns what `reference` names once it is in `store`, with its signatures.

    `pull` says when the registry is asked; `registry` is called only then::

        always   every time: what the name means now, who signed it. Error when the registry cannot be reached
        missing  when the store lacks the image, or a part of it or of a signature is gone or altered
        newer    as always; when the registry cannot be reached, a warning and what the store has
        never    never, not for signatures either

    Only what the store lacks moves, and what is altered there is mended. A name with a digest means one image for
    ever: with `missing` it needs no network once it is there. The tag is read one time: go on with the descriptor.

    Of an index, the image for this machine is fetched; with `platforms` those for them, () all. Where it has none:
    NotFound, or, for a caller who is `lenient`, all of them; NotFound, too, when `platforms` are given and the image is
    a single one, for another platform. Raises `NotFound`, `RegistryError`, `DigestMismatch`,
    `ImageError`, `StoreError`.
    """
    from bpfimg.errors import NotFound, RegistryError
    from bpfimg.oci import Platform, places

    bounds = limits or places.Limits()
    wanted = (Platform.host(),) if platforms is None else tuple(platforms)
    if pull == "missing" and (whole := _held(store, reference, wanted, bounds)) is not None:
        check_platforms(store, whole, str(reference), platforms, bounds)
        return whole
    held = _held(store, reference, wanted, bounds, evidence=False)
    if pull == "never":
        found = _only_here(store, reference, held)
        check_platforms(store, found, str(reference), platforms, bounds)
        return found
    try:
        remote = registry()
        top = _meant(remote, reference, held)
        check_platforms(store if top == held else remote, top, str(reference), platforms, bounds)
        if lenient and not _has(remote, top, wanted):
            wanted = ()
        from bpfimg.oci import copy

        tag = None if reference.digest else reference.tag  # a digest says which: it moves no tag that others go by
        return copy(remote, top, store, tag, platform=wanted, limits=bounds, progress=progress)
    except RegistryError as error:
        if pull != "newer" or held is None or isinstance(error, NotFound):
            raise
        warn(f"{error}; going on with {held.digest} from the local store")
        return held


def check_platforms(
    source: Source,
    top: Descriptor,
    name: str,
    platforms: Sequence[Platform] | None,
    limits: places.Limits | None = None,
) -> None:
    """Raises NotFound, calling it `name`, when the image is a single one and not for each of `platforms`.

    An index passes: its images are chosen by platform. So does an image whose config names none, as artifacts do.
    """
    if not platforms or top.is_index:
        return
    from bpfimg.errors import NotFound
    from bpfimg.oci import places

    _, own = places.stores.measure(source, top, limits or places.Limits())
    for each in platforms:
        if own and own[0].split("/")[:2] != [each.os, each.architecture]:
            raise NotFound(
                f"{name} is one image, for {own[0]}, expected one for {each}",
                hint="without --platform it is taken as it is",
            )


def _only_here(store: Target, reference: Reference, held: Descriptor | None) -> Descriptor:
    """What the store holds; NotFound when it does not hold it, or not whole."""
    from bpfimg.errors import NotFound

    if held is None:
        what = "not whole" if _is_named(store, reference) else "not"
        raise NotFound(
            f"{reference} is {what} in the local store, expected it there with --pull never",
            hint="`bpfimg pull` fetches it, `--pull missing` would have",
        )
    return held


def _is_named(store: Target, reference: Reference) -> bool:
    """Whether the store knows the name, whatever it has of the image."""
    from bpfimg.errors import DigestMismatch, NotFound

    try:
        store.resolve(reference.selector)
    except NotFound:
        return False
    except DigestMismatch:
        pass
    return True


def _meant(remote: Source, reference: Reference, held: Descriptor | None) -> Descriptor:
    """What the name means there; whether it is what is held already, one HEAD tells: Docker Hub counts only GETs."""
    from bpfimg.oci import Registry

    if held is not None and reference.digest is not None:
        return held
    if held is not None and reference.tag is not None and isinstance(remote, Registry):
        return held if remote.digest_of(reference.tag) == held.digest else remote.resolve(reference.tag)
    return remote.resolve(reference.selector)


def _has(remote: Source, top: Descriptor, platforms: Sequence[Platform]) -> bool:
    """Whether an image there can be chosen for each of the platforms."""
    from bpfimg.errors import NotFound
    from bpfimg.oci import Index, parse_document

    document = parse_document(remote.fetch(top), top.media_type)
    try:
        return not isinstance(document, Index) or all(document.select(each) for each in platforms)
    except NotFound:
        return False


def _held(
    store: Target, reference: Reference, wanted: Sequence[Platform], limits: places.Limits, *, evidence: bool = True
) -> Descriptor | None:
    """What the store holds under that name, if it holds it whole: with its signatures, or the image alone."""
    from bpfimg.errors import DigestMismatch, NotFound
    from bpfimg.oci import places

    try:
        found = store.resolve(reference.selector)
    except (NotFound, DigestMismatch):
        return None
    return found if places.stores.is_whole(store, found, wanted, evidence=evidence, limits=limits) else None


def image(
    host: Host,
    source: Source,
    verified: VerifiedImage,
    *,
    hook: Hook | None,
    programs: Sequence[str] = (),
    globals: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    name: str | None = None,
    pull: str = "missing",
    dry_run: bool = False,
    platform: Platform | None = None,
    warn: Callable[[str], None] = lambda sentence: None,
) -> Running:
    """Loads the image, and attaches its program to `hook` (None: only loads): all of it, or nothing.

    `programs` chooses by NAME or TYPE:NAME; needed only where several fit the hook. `globals` are set before the load,
    by their BTF types. `name` is what it is known by here, else the last word of the repository; `pull` is only
    written down. `dry_run` does everything that changes nothing: image, program, globals and the place of the hook are
    checked. `platform` is this machine's unless given; `warn` is told when the image was made for another one (BI-26).
    """
    from bpfimg.image import BytecodeImage
    from bpfimg.load import Origin, prepare
    from bpfimg.load import check as check_hook
    from bpfimg.oci import Platform
    from bpfimg.sign import VerifiedImage

    if not isinstance(verified, VerifiedImage):
        raise TypeError(f"a {type(verified).__name__} is no proof that an image is believed, expected a VerifiedImage")
    machine = platform or Platform.host()
    fetched = BytecodeImage.fetch(source, verified.descriptor, machine)
    if sentence := fetched.made_elsewhere(machine):
        warn(f"{sentence} (BI-26)")
    manifest = fetched.descriptor or verified.descriptor
    known_as = name or verified.reference.repository.path.rpartition("/")[2]
    origin = Origin(known_as, _record(verified, str(manifest.digest), pull), metadata)
    if hook is not None:
        check_hook(hook)
    with prepare(fetched.bytecode, name=known_as, programs=programs, hook=hook, globals=globals) as prepared:
        if dry_run:
            from bpfimg.load import Load

            return Running(Load(0, "", prepared.record(origin)), (), dry_run=True)
        prepared.load()
        with host.writer() as writer:
            loaded = writer.load(prepared, origin) if hook is None else writer.run(prepared, origin, hook)
        return Running(loaded, prepared.infos())


def load(
    host: Host,
    source: Source,
    verified: VerifiedImage,
    *,
    programs: Sequence[str] = (),
    globals: Mapping[str, str] | None = None,
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
        metadata=metadata,
        name=name,
        pull=pull,
        dry_run=dry_run,
        warn=warn,
    )


def attach(
    host: Host,
    loaded: int | str,
    hook: Hook,
    *,
    program: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> tuple[Load, LinkRecord]:
    """Attaches a program of what is loaded (a program id or a name) to one more hook; returns the load and the link.

    `program` chooses by name where several of the load's programs fit.
    """
    with host.writer() as writer:
        return writer.attach(loaded, hook, program=program, metadata=metadata)


def detach(host: Host, link: int) -> tuple[Load, LinkRecord | None]:
    """Detaches a link by its id; returns its load, which stays loaded, and what the link was (None: damaged)."""
    with host.writer() as writer:
        return writer.detach(link)


def unload(host: Host, word: int | str) -> Load:
    """Unloads by the id of a program, or by a name that only one load has; returns what it was.

    Programs that came from one object go together, with all their links: `program_ids` of the result says which.
    """
    with host.writer() as writer:
        return writer.unload(word)


def _record(verified: VerifiedImage, manifest: str, pull: str) -> ImageRecord:
    from bpfimg.load import ImageRecord

    signers = dict.fromkeys(f"{signer.authority} {signer.fingerprint}" for signer in verified.signers)
    return ImageRecord(
        reference=str(verified.reference),
        digest=str(verified.descriptor.digest),
        manifest=manifest,
        policy=verified.policy,
        rule=verified.rule,
        signers=tuple(signers),
        unsafe=verified.unsafe,
        pull=pull,
    )

"""What a name means, brought into the local store by a pull policy, with its signatures."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpfimg.oci import Descriptor, Platform, Reference, Source, Target, places
    from bpfimg.run._apart import Apart

#: when the registry is asked, as `fetch` explains
PULL_POLICIES = ("always", "missing", "newer", "never")


def fetch(
    store: Target,
    registry: Callable[[], Source],
    reference: Reference,
    *,
    pull: str = "missing",
    platforms: Sequence[Platform] | None = None,
    lenient: bool = False,
    apart: Apart | None = None,
    limits: places.Limits | None = None,
    progress: places.Progress | None = None,
    warn: Callable[[str], None] = lambda sentence: None,
) -> Descriptor:
    """Returns what `reference` names once it is in `store`, with its signatures, also those that are kept `apart`.

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
    from bpfimg.oci import Platform, places

    bounds = limits or places.Limits()
    wanted = (Platform.host(),) if platforms is None else tuple(platforms)
    top = _fetched(
        store,
        registry,
        reference,
        pull=pull,
        platforms=platforms,
        wanted=wanted,
        lenient=lenient,
        bounds=bounds,
        progress=progress,
        warn=warn,
    )
    if apart is not None and pull != "never":
        from bpfimg.run._apart import bring

        bring(apart, store, top, pull=pull, limits=bounds, progress=progress, warn=warn)
    return top


def _fetched(
    store: Target,
    registry: Callable[[], Source],
    reference: Reference,
    *,
    pull: str,
    platforms: Sequence[Platform] | None,
    wanted: tuple[Platform, ...],
    lenient: bool,
    bounds: places.Limits,
    progress: places.Progress | None,
    warn: Callable[[str], None],
) -> Descriptor:
    from bpfimg.errors import NotFound, RegistryError

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
        return copy(remote, top, store, tag, platform=wanted, limits=bounds, progress=progress, lenient=True, warn=warn)
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

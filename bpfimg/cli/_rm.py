"""`bpfimg rm`: names of images go, in the local store or in a registry."""

from __future__ import annotations

from bpfimg.errors import NotFound, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.oci import Reference

EPILOG = """\
With the last name of an image in a repository its signatures and other referrers go, too. Content stays until
`bpfimg prune`; programs that run go on. NAME:TAG@DIGEST removes the tag only when it has that digest. Each REF is
removed or not; the others do not depend on it.

registry:NAME@DIGEST deletes the image in its registry, with all its tags; registry:NAME:TAG deletes the tag where the
registry can do that.

examples:
  bpfimg rm registry.example/xdp_counter:v1 registry.example/xdp_counter:v2
  bpfimg rm registry.example/xdp_counter@sha256:..."""

_HINT = "`bpfimg images` lists what the store has"


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("references", metavar="REF", nargs="+", help="NAME:TAG, or NAME@DIGEST of what has no tag")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Removes one after the other, prints what went; NotFound says at the end what was not there."""
    from bpfimg.cli._render import clean, json_text

    gone: list[dict[str, object]] = []
    missing: list[tuple[str, NotFound]] = []
    try:
        for word in arguments.references:
            try:
                name, digest = _remove(options, word)
            except NotFound as error:
                missing.append((word, error))
                continue
            gone.append({"id": digest or name, "reference": name, "digest": digest or None})
            if not options.json:
                print(digest if options.quiet and digest else clean(name))
    finally:  # what went is said although a later one failed
        if options.json and (gone or not missing):
            print(json_text({"images": gone}))
    if len(missing) == 1:
        raise missing[0][1]
    if missing:
        words = ", ".join(word for word, _ in missing)
        raise NotFound(f"{len(missing)} of {len(arguments.references)} are not there: {words}", hint=_HINT)
    return 0


def _remove(options: Options, text: str) -> tuple[str, str]:
    """Removes one; returns the name that went and the digest that it had, "" where its entry had none."""
    from bpfimg.cli._places import names, registry, store
    from bpfimg.oci import Reference, places

    where = places.Location.parse(text)
    if where.transport == "registry":
        reference = Reference.parse(where.reference)
        remote = registry(options, reference.repository, writes=True)
        digest = remote.digest_of(reference.tag) if reference.tag else reference.digest
        _compare(reference, digest)
        remote.remove(reference.tag or reference.selector)
        return f"registry:{reference}", str(digest)
    if where.transport not in ("", "store"):
        raise UsageError(f"{quoted(text)} is neither in the store nor in a registry, expected a name in one of them")
    failed: NotFound | None = None
    for reference in dict.fromkeys((*names(where.reference), Reference.parse(where.reference))):
        local = store(options, reference.repository)
        try:
            if reference.tag and reference.digest:
                _compare(reference, local.resolve(reference.tag).digest)
            gone = local.remove(reference.tag or reference.selector)
            return str(reference), str(gone.digest) if gone else ""
        except NotFound as error:
            failed = failed or error
    return _remove_foreign(options, where.reference, failed)


def _compare(reference: Reference, digest: object) -> None:
    if reference.digest not in (None, digest):
        raise NotFound(f"{reference.repository}:{reference.tag} is {digest}, expected {reference.digest}")


def _remove_foreign(options: Options, name: str, failed: NotFound | None) -> tuple[str, str]:
    """Removes what another tool gave a tag alone as its name."""
    from bpfimg.cli._limits import limits
    from bpfimg.oci import Layout, Repository

    nameless = Repository("localhost", "store")
    layout = Layout(options.store, nameless, lock_timeout=options.lock_timeout, limits=limits(options))
    try:
        gone = layout.remove(name)
        return name, str(gone.digest) if gone else ""
    except (NotFound, UsageError):
        assert failed is not None
        from bpfimg.cli._near import near_image

        failed.hint = near_image(options, name, failed.hint or _HINT)
        raise failed from None

"""An image by the pull policy: what `run`, `load`, `verify` and `pull` have in common."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.cli._places import Found
    from bpfimg.oci import Platform, Registry
    from bpfimg.sign import Policy

__all__ = ["add_pull", "fetched", "pull_policy"]

#: peers' words for the same policies, read without regard to case
_ALIASES = {"ifnotpresent": "missing"}


def add_pull(parser: argparse.ArgumentParser, *, usual: str) -> None:
    """Adds `--pull`."""
    parser.add_argument(
        "--pull", metavar="always|missing|newer|never", help=f"when to ask the registry (default {usual})"
    )


def pull_policy(text: str | None, usual: str) -> str:
    """The policy that `text` names, `usual` when there is none; UsageError for a word that is none."""
    from bpfimg.errors import UsageError
    from bpfimg.run import fetching

    word = (text or usual).lower()
    word = _ALIASES.get(word, word)
    if word not in fetching.PULL_POLICIES:
        raise UsageError(f"--pull is {text!r}, expected {', '.join(fetching.PULL_POLICIES)}")
    return word


def fetched(
    options: Options,
    text: str,
    *,
    pull: str,
    platforms: Sequence[Platform] | None = None,
    lenient: bool = False,
    trust: Policy | None = None,
) -> Found:
    """The image of that bare name, in the local store once it is fetched by the policy; see `run.fetching.fetch`.

    Of a short name, what the store has decides; else the first registry that has it. Where the policy `trust` expects
    signatures in a repository of their own, they are fetched, too.
    """
    from bpfimg.cli._places import here
    from bpfimg.errors import RegistryError

    known = here(options, text)
    try:
        return _fetched(options, text, known, pull=pull, platforms=platforms, lenient=lenient, trust=trust)
    except RegistryError as error:
        if known is None:
            from bpfimg.cli._near import near_image

            error.hint = near_image(options, text, error.hint)
        raise


def _fetched(
    options: Options,
    text: str,
    known: Found | None,
    *,
    pull: str,
    platforms: Sequence[Platform] | None,
    lenient: bool,
    trust: Policy | None,
) -> Found:
    from bpfimg import run
    from bpfimg.cli._bar import watching
    from bpfimg.cli._elsewhere import apart
    from bpfimg.cli._limits import limits
    from bpfimg.cli._parser import note, warn
    from bpfimg.cli._places import Found, first_there, names, registry, store

    meant = (known.reference,) if known is not None else names(text)
    if len(meant) > 1 and pull != "never":
        meant = (first_there(options, meant).reference,)
    reference = meant[0]
    local = store(options, reference.repository)

    def asked() -> Registry:
        note(options, f"asking {reference.repository.host} for {reference}")
        return registry(options, reference.repository)

    if known is not None:
        note(options, f"{options.store} has {known.name}, {known.descriptor.digest}")
    with watching(options) as progress:
        descriptor = run.fetching.fetch(
            local,
            asked,
            reference,
            pull=pull,
            platforms=platforms,
            lenient=lenient,
            apart=None if trust is None else apart(options, trust, reference),
            limits=limits(options),
            progress=progress,
            warn=warn,
        )
    return Found(local, str(reference), reference, descriptor)

"""Where signatures are that a policy expects in another repository than the image's: in the same kind of place."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.cli._options import Options
    from bpfimg.cli._places import Found
    from bpfimg.oci import Reference, Repository, Source
    from bpfimg.run import Apart
    from bpfimg.sign import Policy

__all__ = ["apart", "elsewhere"]


def elsewhere(options: Options, found: Found) -> Callable[[Repository], Source]:
    """What `sign.verify` asks for another repository beside `found`: of the same store, archive or kind of registry.

    Nobody is asked over the network for what is found on this machine.
    """

    def there(repository: Repository) -> Source:
        from bpfimg.errors import NotFound
        from bpfimg.oci import Layout, places

        place = found.place
        if isinstance(place, Layout):
            return Layout(place.path, repository, short_names=place.short_names, limits=place.limits)
        if isinstance(place, places.Archive):
            return place.beside(repository)
        from bpfimg.oci import Registry

        if isinstance(place, Registry):
            from bpfimg.cli._places import registry

            return registry(options, repository)
        raise NotFound(f"no signatures of {repository} can be where {found.name} is")

    return there


def apart(options: Options, trust: Policy, reference: Reference) -> Apart | None:
    """What `fetching.fetch` takes: the other repository in its registry and in the local store; None where the policy
    names none for this image."""
    named = trust.rule_for(reference).signature_repository
    if named is None:
        return None
    from bpfimg.cli._parser import note
    from bpfimg.cli._places import registry, store
    from bpfimg.oci import Repository
    from bpfimg.run import Apart

    repository = Repository.parse(named)

    def asked() -> Source:
        note(options, f"asking {repository.host} for signatures in {repository}")
        return registry(options, repository)

    return Apart(asked, store(options, repository))

"""Where an image is: the local store, a registry, a layout on disk; and where a bare name is looked for first."""

from __future__ import annotations

from bpfimg.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.cli._options import Options
    from bpfimg.oci import Descriptor, Digest, Layout, Reference, Registry, Repository, Target

__all__ = ["find", "registry", "selector", "store"]


def store(options: Options, repository: Repository) -> Layout:
    """The local store, as seen from one repository."""
    from bpfimg.oci import Layout

    return Layout(options.store, repository, lock_timeout=options.lock_timeout)


def registry(options: Options, repository: Repository) -> Registry:
    """The repository in its registry; credentials from where docker and podman keep them."""
    import os

    from bpfimg.cli._parser import warn
    from bpfimg.oci import Registry, RegistryOptions

    return Registry(
        repository,
        RegistryOptions.from_environment(
            os.environ,
            authfile=options.authfile,
            ca_file=options.ca_file,
            plain_http=options.plain_http,
            insecure_skip_tls_verify=options.insecure_skip_tls_verify,
            warn=warn,
        ),
    )


def selector(reference: Reference) -> str | Digest:
    """What to resolve in the reference's repository: the digest wins over the tag."""
    return reference.digest or reference.tag or "latest"


def find(options: Options, reference: Reference) -> tuple[Target, Descriptor]:
    """A bare name means the local store first, then the registry; raises `NotFound` where neither has it."""
    from bpfimg.cli._parser import note

    local = store(options, reference.repository)
    try:
        return local, local.resolve(selector(reference))
    except NotFound:
        note(options, f"{reference} is not in {options.store}, asking {reference.repository.host}")
    remote = registry(options, reference.repository)
    return remote, remote.resolve(selector(reference))

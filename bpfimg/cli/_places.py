"""Where an image is: the local store, a registry, a layout on disk; and where a bare name is looked for first."""

from __future__ import annotations

from bpfimg.errors import NotFound, RegistryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.cli._options import Options
    from bpfimg.oci import Descriptor, Layout, Reference, Registry, Repository, Target

__all__ = ["find", "located", "registry", "store"]


def store(options: Options, repository: Repository) -> Layout:
    """The local store, as seen from one repository."""
    from bpfimg.oci import Layout

    return Layout(options.store, repository, lock_timeout=options.lock_timeout, short_names=False)


def registry(options: Options, repository: Repository) -> Registry:
    """The repository in its registry; credentials from where docker and podman keep them."""
    import os

    from bpfimg.cli._parser import warn
    from bpfimg.oci import Registry, places

    remote = Registry(
        repository,
        places.RegistryOptions(
            authfile=options.authfile,
            auth_files=places.RegistryOptions.default_auth_files(os.environ, os.geteuid()),
            proxies=places.RegistryOptions.default_proxies(os.environ),
            ca_file=options.ca_file,
            plain_http=options.plain_http,
            insecure_skip_tls_verify=options.insecure_skip_tls_verify,
            warn=warn,
        ),
    )
    return options.open.enter_context(remote)


def find(options: Options, reference: Reference) -> tuple[Target, Descriptor]:
    """A bare name means the local store first, then the registry; raises `NotFound` where neither has it."""
    from bpfimg.cli._parser import note

    local = store(options, reference.repository)
    try:
        return local, local.resolve(reference.selector)
    except NotFound:
        note(options, f"{reference} is not in {options.store}, asking {reference.repository.host}")
    remote = registry(options, reference.repository)
    try:
        return remote, remote.resolve(reference.selector)
    except RegistryError as error:
        # whoever misspelt the tag of what they have just built learns little from "connection refused"
        error.hint = "; ".join(filter(None, (f"the local store {options.store} does not have it either", error.hint)))
        raise


def located(options: Options, text: str) -> tuple[Target, Descriptor]:
    """The image that [TRANSPORT:]NAME names: registry:NAME, store:NAME, oci:DIR[:REF], or as `find` does."""
    from bpfimg.oci import Layout, Reference

    word, rest = Reference.split_transport(text)
    if word == "oci":
        layout, selector = Layout.named(rest, lock_timeout=options.lock_timeout)
        return layout, layout.resolve(selector)
    reference = Reference.parse(rest)
    if not word:
        return find(options, reference)
    place = (store if word == "store" else registry)(options, reference.repository)
    return place, place.resolve(reference.selector)

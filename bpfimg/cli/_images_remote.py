"""`bpfimg images registry:...`: the tags of a repository, or the repositories of a registry."""

from __future__ import annotations

from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.cli._options import Options
    from bpfimg.oci import Repository

__all__ = ["show"]


def show(options: Options, text: str) -> None:
    """Prints the tags of HOST/NAME as references, or the repositories of HOST/, in the registry's order."""
    from bpfimg.cli._places import registry
    from bpfimg.cli._render import clean, json_text

    if text.endswith("/"):
        lines = [str(each) for each in _catalog(options, text[:-1])]
        document = {"repositories": [{"id": line} for line in lines]}
    else:
        repository = _repository(text)
        tags = registry(options, repository).tags()
        lines = list(tags) if options.quiet else [f"{repository}:{tag}" for tag in tags]
        document = {"tags": [{"id": tag, "reference": f"{repository}:{tag}"} for tag in tags]}
    print(f"{json_text(document)}\n" if options.json else "".join(f"{clean(line)}\n" for line in lines), end="")


def _repository(text: str) -> Repository:
    from bpfimg.oci import Repository

    try:
        return Repository.parse(text)
    except UsageError as error:
        hint = "HOST/NAME without a tag lists the tags of NAME, HOST/ the repositories of HOST"
        raise UsageError(f"{quoted(text)} is not a repository: {error}", hint=hint) from error


def _catalog(options: Options, host: str) -> tuple[Repository, ...]:
    from bpfimg._value import replace
    from bpfimg.cli._access import registry_options
    from bpfimg.cli._limits import limits
    from bpfimg.oci import Registry

    connections = options.open.connections(lambda: replace(registry_options(options), limits=limits(options)))
    return Registry.catalog(host, connections=connections)

"""What a registry has: the tags of a repository, the repositories of a registry (distribution-spec 1.1)."""

from __future__ import annotations

from bpfimg.errors import ImageError, UsageError, quoted
from bpfimg.oci._http._pages import pages
from bpfimg.oci._json import parse_object
from bpfimg.oci._reference import Repository, check_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._http._wire import Wire

_PAGE = 1000
_JSON = {"Accept": "application/json"}
_CATALOG = "registry:catalog:*"


def list_tags(wire: Wire) -> tuple[str, ...]:
    """Returns every tag, in the registry's order; ImageError for a list that is none or too long."""
    doing = f"list the tags of {wire.host}/{wire.path}"
    found = _list(wire, f"/v2/{wire.path}/tags/list?n={_PAGE}", doing, "tags")
    try:
        return tuple(check_tag(tag) for tag in found)
    except UsageError as error:
        raise ImageError(f"cannot {doing}: {error}") from error


def list_repositories(wire: Wire, host: str) -> tuple[Repository, ...]:
    """Returns every repository of `host`, in the registry's order; ImageError for a list that is none or too long."""
    doing = f"list the repositories of {wire.host}"
    found = _list(wire, f"/v2/_catalog?n={_PAGE}", doing, "repositories", actions=_CATALOG)
    try:
        return tuple(Repository(host, path) for path in found)
    except UsageError as error:
        raise ImageError(f"cannot {doing}: {error}") from error


def _list(wire: Wire, url: str, doing: str, what: str, *, actions: str = "pull") -> list[str]:
    most = wire.options.limits.names
    found: dict[str, None] = {}
    for raw, _ in pages(wire, url, doing, _JSON, actions=actions):
        document = parse_object(raw, f"the list of {wire.host}", limit=wire.options.limits.document)
        names = document.get(what)
        if names is None and "errors" not in document:
            continue  # how Go writes a list of nothing
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ImageError(f"cannot {doing}: {wire.host} gives {what} {quoted(names)}, expected a list of names")
        found.update(dict.fromkeys(names))
        if len(found) > most:
            raise ImageError(f"cannot {doing}: there are more than {most}", hint="allow more with --limit names=NUMBER")
    return list(found)

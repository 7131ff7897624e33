"""One table of a registries.conf(5): its entries, each asked for by name and kind."""

from __future__ import annotations

from bpfimg.errors import RegistryError, UsageError, quoted
from bpfimg.oci._reference import Repository, is_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Table:
    """One table of a file: its entries, each asked for by name and kind; RegistryError for another kind."""

    def __init__(self, path: str, entries: Mapping[str, object], name: str = "") -> None:
        self.path = path
        self.entries = entries
        self._name = name

    def bad(self, field: str, found: object, expected: str) -> RegistryError:
        return wrong(self.path, f"{self._name}.{field}" if self._name else field, found, expected)

    def has(self, field: str) -> bool:
        return field in self.entries

    def flag(self, field: str) -> bool:
        found = self.entries.get(field, False)
        if not isinstance(found, bool):
            raise self.bad(field, found, "true or false")
        return found

    def text(self, field: str) -> str:
        found = self.entries.get(field, "")
        if not isinstance(found, str):
            raise self.bad(field, found, "a text")
        return found

    def word(self, field: str, words: tuple[str, ...]) -> str:
        found = self.text(field)
        if found not in words:
            raise self.bad(field, found, f"one of {', '.join(filter(None, words))}")
        return found

    def texts(self, field: str) -> list[str]:
        found = self.entries.get(field, [])
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise self.bad(field, found, "a list of texts")
        return found

    def tables(self, field: str) -> Iterator[Table]:
        found = self.entries.get(field, [])
        if not isinstance(found, list):
            raise self.bad(field, found, f"[[{field}]] tables")
        for number, entries in enumerate(found, 1):
            name = f"{self._name}.{field}[{number}]" if self._name else f"{field}[{number}]"
            if not isinstance(entries, dict):
                raise wrong(self.path, name, entries, "a table")
            yield Table(self.path, entries, name)

    def hosts(self, field: str) -> list[str]:
        found = [each.rstrip("/").lower() for each in self.texts(field)]
        for host in found:
            if "/" in host or not _is_place(host):
                raise self.bad(field, host, "registries as HOST[:PORT]")
        return found

    def place(self, field: str, *, wildcard: bool = False) -> str:
        """Returns HOST[:PORT][/PATH] with the host in lower case, "" for none."""
        found = self.text(field).rstrip("/")
        host, slash, path = found.partition("/")
        found = host.lower() + slash + path
        if wildcard and found.startswith("*."):
            if slash or ":" in host or not _is_place(found[2:]):
                raise self.bad(field, found, "*.DOMAIN without port and path")
        elif found and not _is_place(found):
            raise self.bad(field, found, "HOST[:PORT][/PATH] without http:// or https://")
        return found


def _is_place(text: str) -> bool:
    host = text.partition("/")[0]
    if not is_host(host):
        return False
    try:
        Repository(host, "x")
    except UsageError:
        return False
    return True


def wrong(path: str, field: str, found: object, expected: str) -> RegistryError:
    """Returns the one sentence about a field that is not as it should be."""
    return RegistryError(f"{path}: {field} is {quoted(found)}, expected {expected}")

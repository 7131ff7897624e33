"""Logging out: credentials are forgotten by files and programs."""

from __future__ import annotations

from bpfimg.errors import NotFound, RegistryError
from bpfimg.oci._login._accounts import Account, parse_registry
from bpfimg.oci._login._auth_file import bare
from bpfimg.oci._login._auth_file_change import change
from bpfimg.oci._login._credential_program import Program
from bpfimg.oci._login._credentials import auth_files
from bpfimg.oci._settings._registries import AUTH_FILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._login._auth_file import AuthFile
    from bpfimg.oci._settings._options import RegistryOptions


def logout(registry: str | None, options: RegistryOptions, *, lock_timeout: float = 30.0) -> tuple[Account, ...]:
    """Forgets the credentials for `HOST[:PORT][/NAMESPACE]` (None: all) wherever they would be found; returns those.

    NotFound when there are none; RegistryError, after the other places are done, for one that cannot be changed.
    """
    if registry is None:
        return _all(options, lock_timeout)
    host, key = parse_registry(registry)
    outside = [] if "/" in bare(key) else [(name, host) for name in options.registries.helpers if name != AUTH_FILES]
    found = _Forgotten(options, lock_timeout)
    for name, server in outside:
        found.erase(name, server, "")
    for file in auth_files(options):
        name, server = file.keeper(host) if "/" not in bare(key) else ("", "")
        if name:
            found.erase(name, server, file.path)
        found.drop(file, file.keys_like(key))
    accounts = found.accounts()
    if not accounts:
        raise NotFound(f"there is no login for {registry} to forget, expected one in {_names(options)}")
    return accounts


def _all(options: RegistryOptions, lock_timeout: float) -> tuple[Account, ...]:
    """Programs forget the registries that the files know of."""
    found = _Forgotten(options, lock_timeout)
    for file in auth_files(options):
        for server, name in file.programs.items():
            if isinstance(name, str) and name:
                found.erase(name, server, file.path)
        if file.default_program:
            for key in file.entries:
                found.erase(file.default_program, key, file.path)
        found.drop(file, list(file.entries))
    return found.accounts()


class _Forgotten:
    """What is forgotten on the way; the first error waits until all is done."""

    def __init__(self, options: RegistryOptions, lock_timeout: float) -> None:
        self._options = options
        self._lock_timeout = lock_timeout
        self._accounts: dict[Account, None] = {}
        self._error: RegistryError | None = None

    def erase(self, name: str, server: str, file: str) -> None:
        try:
            program = Program(name, self._options.program_folders, self._options.program_environ)
            if program.erase(server):
                self._accounts[Account(server, file, program.name)] = None
        except RegistryError as error:
            self._error = self._error or error

    def drop(self, file: AuthFile, keys: list[str]) -> None:
        """Removes entries; one without a secret was a note that a program has it."""
        try:
            if keys and change(file.path, lambda entries: _drop(entries, keys), lock_timeout=self._lock_timeout):
                self._accounts |= {Account(key, file.path): None for key in keys if file.entries[key]}
        except RegistryError as error:
            self._error = self._error or error

    def accounts(self) -> tuple[Account, ...]:
        if self._error is not None:
            raise self._error
        return tuple(self._accounts)


def _drop(entries: dict[str, object], keys: list[str]) -> bool:
    there = [key for key in keys if key in entries]
    for key in there:
        del entries[key]
    return bool(there)


def _names(options: RegistryOptions) -> str:
    return options.authfile or ", ".join(options.auth_files) or "a file"

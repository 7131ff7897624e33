"""Who we are at a registry: from the files and programs that docker, podman and skopeo users have already."""

from __future__ import annotations

from _thread import allocate_lock

from bpfimg.errors import RegistryError
from bpfimg.oci._login._auth_file import AuthFile, Credentials, credentials, namespace_keys, server_key
from bpfimg.oci._settings._registries import AUTH_FILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.oci._reference import Repository
    from bpfimg.oci._settings._options import RegistryOptions


class Answers:
    """What credential programs said: each is asked once for a server, however many repositories and threads ask."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._known: dict[tuple[str, str], Credentials | None] = {}

    def of(self, name: str, server: str, options: RegistryOptions) -> Credentials | None:
        """Returns what `docker-credential-NAME` keeps for a server; a failure is said and counts as nothing."""
        with self._lock:
            if (name, server) not in self._known:
                self._known[name, server] = self._asked(name, server, options)
            return self._known[name, server]

    def _asked(self, name: str, server: str, options: RegistryOptions) -> Credentials | None:
        from bpfimg.oci._login._credential_program import Program

        try:
            program = Program(name, options.program_folders, options.program_environ)
            found = program.get(server)
        except RegistryError as error:
            options.warn(f"no credentials for {server}: {error}")
            return None
        return credentials(program.name, *found) if found else None


def find_credentials(
    options: RegistryOptions, repository: Repository, answers: Answers | None = None
) -> Credentials | None:
    """Returns the first credentials for a repository, None for none.

    RegistryError when the file that the user named cannot be read; other files, and programs, that fail are passed
    over with a warning. `answers` keeps what programs said for the next time.
    """
    if options.username is not None:
        return Credentials("the options", options.username, options.password or "")
    answers = answers or Answers()
    for name in options.registries.helpers:
        if name != AUTH_FILES:
            found = answers.of(name, repository.host, options)
        else:
            found = next(
                filter(None, (_in_file(file, repository, options, answers) for file in auth_files(options))), None
            )
        if found and found.usable:
            return found
    return None


def auth_files(options: RegistryOptions) -> Iterator[AuthFile]:
    """Yields the files that are there, in the order in which they are looked at; errors as `find_credentials`."""
    for path in (options.authfile,) if options.authfile else options.auth_files:
        try:
            yield AuthFile.read(path)
        except FileNotFoundError as error:
            if path == options.authfile:
                raise RegistryError(f"the auth file {path} does not exist, expected one with credentials") from error
        except RegistryError as error:
            if path == options.authfile:
                raise
            options.warn(f"{error}; it is passed over")


def _in_file(file: AuthFile, repository: Repository, options: RegistryOptions, answers: Answers) -> Credentials | None:
    """The order is podman's for `credHelpers` and namespaces, which docker does not have, and docker's for the rest."""
    name, key = file.program(repository.host)
    if name:
        return answers.of(name, key, options)
    for namespace in namespace_keys(repository):
        if found := file.entry(namespace):
            return found
    if file.default_program and not key:
        found = answers.of(file.default_program, server_key(repository.host), options)
        if found:
            return found
    return file.entry(repository.host)

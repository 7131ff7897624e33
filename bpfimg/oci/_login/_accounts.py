"""Logging in: credentials are checked, then kept where docker, podman, skopeo, crane, cosign and oras look."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import RegistryError, UsageError, quoted
from bpfimg.oci._login._auth_file import AuthFile, bare, login_entry, server_key
from bpfimg.oci._login._auth_file_change import change
from bpfimg.oci._login._credential_program import Program
from bpfimg.oci._reference import Repository, is_host
from bpfimg.oci._settings._registries import AUTH_FILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._settings._options import RegistryOptions

_SECRET_LIMIT = 64 << 10


@value(frozen=True, slots=True)
class Account:
    """Credentials of `registry` are kept in `file`; with `program`, that has the secret and the file only says so."""

    registry: str
    file: str = ""
    program: str = ""


def login(
    registry: str, username: str, password: str, options: RegistryOptions, *, lock_timeout: float = 30.0
) -> Account:
    """Returns where credentials for `HOST[:PORT][/NAMESPACE]` are kept now, after the registry has confirmed them.

    UsageError when the words are none; RegistryError when the registry does not know them, or they cannot be kept.
    """
    from bpfimg.oci._login._login_check import check_login

    host, key = parse_registry(registry)
    if not username or ":" in username or not username.isprintable():
        raise UsageError(f"{quoted(username)} is not a user name, expected printable text without a colon")
    if not password or len(password) > _SECRET_LIMIT or "\0" in password:
        raise UsageError("the password is empty or no text, expected one")
    file, program, server = _keeper(host, key, options)
    if not check_login(host, username, password, options):
        options.warn(f"{host} lets everybody in: it could not be asked whether the password is right")
    if program:
        program.store(server, username, password)
    if file:
        entry = {} if program else login_entry(username, password)  # that a program has it, docker notes as well
        change(file, lambda entries: _put(entries, key, entry), lock_timeout=lock_timeout)
    return Account(key, file, program.name if program else "")


def parse_registry(text: str) -> tuple[str, str]:
    """Returns the host of `HOST[:PORT][/NAMESPACE]`, and under which key a login stands; UsageError for other text."""
    host, slash, path = text.partition("/")
    host = bare(host)
    try:
        if "://" in text or not is_host(host) or (slash and not path):
            raise UsageError("a registry has a dot or a port in its name, and nothing before it")
        Repository(host, path or "any")
    except UsageError as error:
        raise UsageError(
            f"{quoted(text)} is not a registry: {error}",
            hint="write HOST, HOST:PORT or HOST/NAMESPACE, as in quay.io or registry.example:5000/team",
        ) from error
    return host, f"{host}/{path}" if path else server_key(host)


def _keeper(host: str, key: str, options: RegistryOptions) -> tuple[str, Program | None, str]:
    """Returns the file to write to, and the program that keeps the secret with the name that it knows the host by."""
    first = next(iter(options.registries.helpers), AUTH_FILES)
    if first != AUTH_FILES:
        path, name, server = "", first, host
    else:
        file = _file_for(host, key, options)
        path, (name, server) = file.path, file.keeper(host)
    if not name:
        return path, None, ""
    if "/" in bare(key):
        raise RegistryError(
            f"docker-credential-{name} keeps the credentials of {host} and knows no namespaces, expected a registry",
            hint="name another file with --authfile",
        )
    return path, Program(name, options.program_folders, options.program_environ), server


def _file_for(host: str, key: str, options: RegistryOptions) -> AuthFile:
    """Returns the file that `login` writes: an older login in one that is read before would hide the new one."""
    if options.authfile:
        return _read(options.authfile)
    if not options.login_file:
        raise UsageError("no file is named in which a login could be kept, expected --authfile")
    for path in options.auth_files:
        if path == options.login_file:
            break
        file = _read(path)
        if file.keys_like(key) or file.program(host)[1]:
            return file
    return _read(options.login_file)


def _read(path: str) -> AuthFile:
    try:
        return AuthFile.read(path)
    except FileNotFoundError:
        return AuthFile(path)


def _put(entries: dict[str, object], key: str, entry: dict[str, object]) -> bool:
    """Lets `key` alone stand for its registry, whatever other spellings there were."""
    for found in [found for found in entries if bare(found) == bare(key)]:
        del entries[found]
    entries[key] = entry
    return True

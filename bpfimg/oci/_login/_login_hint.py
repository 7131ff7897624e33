"""What a person can do when a registry does not let them in."""

from __future__ import annotations

from bpfimg.errors import RegistryError
from bpfimg.oci._login._auth_file import AuthFile, server_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._login._auth_file import Credentials
    from bpfimg.oci._reference import Repository
    from bpfimg.oci._settings._options import RegistryOptions


def login_hint(options: RegistryOptions, repository: Repository, who: Credentials | None, error: str) -> str:
    """Returns the hint for a 401 or 403; `who` was tried, `error` is what the challenge calls it (RFC 6750, 3.1)."""
    if who is not None and error == "insufficient_scope":
        return f"the credentials from {who.origin} are believed, but do not allow this: ask who owns {repository}"
    if who is not None and options.username is not None:
        return "the user and password that were given are not right here: check BPFIMG_USERNAME and BPFIMG_PASSWORD"
    if who is not None:
        return f"the credentials come from {who.origin}: check them, or log in again"
    if options.sudo_user:
        return _sudo_hint(options.sudo_user, repository.host)
    return (
        f"log in with `bpfimg login {repository.host}` (logins of docker and podman count as well), "
        "or name the file that holds the credentials with --authfile"
    )


def _sudo_hint(user: str, host: str) -> str:
    """Root has logins of its own: names the file of the user who called sudo, if that knows the registry."""
    path = _file_of(user, host)
    done = f"give --authfile {path}" if path else f"log in with `sudo bpfimg login {host}`"
    return f"root does not see the logins of {user}: {done}"


def _file_of(user: str, host: str) -> str:
    import pwd

    try:
        entry = pwd.getpwnam(user)
    except (KeyError, ValueError):
        return ""
    home = entry.pw_dir
    for path in (
        f"/run/user/{entry.pw_uid}/containers/auth.json",
        f"{home}/.config/containers/auth.json",
        f"{home}/.docker/config.json",
    ):
        try:
            file = AuthFile.read(path)
        except (FileNotFoundError, RegistryError):
            continue
        if file.keys_like(server_key(host)) or any(file.keeper(host)):
            return path
    return ""

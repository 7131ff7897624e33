"""What a checkout says of itself: the commit and where it came from, read from its files. git is never started."""

from __future__ import annotations

import os
import stat

from bpfimg.errors import Error, quoted

__all__ = ["remote", "stated"]

REVISION = "org.opencontainers.image.revision"
SOURCE = "org.opencontainers.image.source"

_SMALL = 64 * 1024  # bytes of HEAD, of a ref, of `.git` in a worktree
_CONFIG = 1024 * 1024
_PACKED = 64 * 1024 * 1024
_LEVELS = 64  # folders above the source in which `.git` is looked for
_SYMBOLIC = 5  # refs that name refs, as git itself allows
_SCHEMES = ("https", "http", "ssh", "git", "git+ssh", "git+https")
#: forges whose repositories are at https://HOST/PATH although they were cloned through ssh
_FORGES = ("github.com", "gitlab.com", "codeberg.org", "bitbucket.org")


def stated(path: str) -> dict[str, str]:
    """Annotations `org.opencontainers.image.revision` and, if a remote says, `.source` of the checkout `path` is in.

    The revision is the commit that is checked out. Whether files were changed since is not looked at. The source is the
    URL of the remote `origin` (the only one, where there is no origin) without user name, password, query and
    fragment; a remote that is a path is left out. Raises Error when `path` is in no checkout, or the checkout has no
    commit or cannot be read.
    """
    folder = _git_folder(os.path.realpath(path))
    found = {REVISION: _commit(folder)}
    url = _remote(_shared(folder))
    if url:
        found[SOURCE] = url
    return found


def remote(path: str) -> str:
    """The source that `stated` would name, also of a checkout without commits; "" where nothing says one."""
    try:
        return _remote(_shared(_git_folder(os.path.realpath(path))))
    except Error:
        return ""


def _git_folder(path: str) -> str:
    """The folder that git keeps the checkout's state in: `.git`, or where a worktree's or submodule's `.git` points."""
    here = path if os.path.isdir(path) else os.path.dirname(path)
    for _ in range(_LEVELS):
        beside = os.path.join(here, ".git")
        if os.path.isdir(beside):
            return beside
        text = _text(beside, _SMALL)
        if text is not None:
            where = text.strip().removeprefix("gitdir: ")
            if not text.startswith("gitdir: ") or "\0" in where:
                raise Error(f"{quoted(beside)} is no git file, expected `gitdir: PATH`")
            return os.path.normpath(os.path.join(here, where))
        if os.path.dirname(here) == here:
            break
        here = os.path.dirname(here)
    raise Error(
        f"{quoted(path)} is in no git checkout, expected a folder .git above it",
        hint="give --annotation org.opencontainers.image.revision=... where the sources come from somewhere else",
    )


def _shared(folder: str) -> str:
    """Where a worktree shares refs and config with the checkout that it was made from."""
    text = _text(os.path.join(folder, "commondir"), _SMALL)
    return folder if text is None or "\0" in text else os.path.normpath(os.path.join(folder, text.strip()))


def _commit(folder: str) -> str:
    shared = _shared(folder)
    said = _text(os.path.join(folder, "HEAD"), _SMALL)
    if said is None:
        raise Error(f"{quoted(folder)} is no git folder: it has no readable HEAD")
    for _ in range(_SYMBOLIC):
        word = said.strip()
        if _is_commit(word):
            return word
        name = word.removeprefix("ref: ").strip()
        if not word.startswith("ref: ") or not _is_ref(name):
            raise Error(f"HEAD of {quoted(folder)} is {quoted(word)}, expected a commit or a branch")
        following = _text(os.path.join(folder, name), _SMALL)
        if following is None:
            following = _text(os.path.join(shared, name), _SMALL)
        if following is None:
            following = _packed(shared, name)
        if following is None:
            raise Error(
                f"{quoted(name)} of {quoted(folder)} names no commit, expected a checkout with one",
                hint="commit first; a repository that keeps its refs as reftable cannot be read here",
            )
        said = following
    raise Error(f"HEAD of {quoted(folder)} is a name of a name of a name, expected a commit")


def _is_commit(word: str) -> bool:
    """Forty digits for SHA-1, sixty-four for SHA-256."""
    return len(word) in (40, 64) and all(c in "0123456789abcdef" for c in word)


def _is_ref(name: str) -> bool:
    """A name below refs/ that cannot leave it (git-check-ref-format)."""
    parts = name.split("/")
    return (
        parts[0] == "refs"
        and len(parts) > 1
        and len(name) <= 1024
        and name.isprintable()
        and not any(part in ("", ".", "..") for part in parts)
    )


def _packed(folder: str, name: str) -> str | None:
    """The ref's line among those that git has packed into one file."""
    for line in (_text(os.path.join(folder, "packed-refs"), _PACKED) or "").splitlines():
        commit, _, ref = line.partition(" ")
        if ref == name:
            return commit
    return None


def _remote(folder: str) -> str:
    """The URL of `origin`, else of the only remote, as it may be published; "" where there is none."""
    remotes: dict[str, str] = {}
    section = ""
    for line in (_text(os.path.join(folder, "config"), _CONFIG) or "").splitlines():
        words = line.strip()
        if words.startswith("["):
            section = words
        elif section.lower().startswith('[remote "') and section.endswith('"]'):
            key, equals, text = words.partition("=")
            if equals and key.strip().lower() == "url":
                remotes.setdefault(section[9:-2], text.strip().strip('"'))
    url = remotes.get("origin") or (next(iter(remotes.values())) if len(remotes) == 1 else "")
    return _public(url)


def _public(url: str) -> str:
    """`url` without what identifies or admits a person; "" for a path of this machine and for what is no URL."""
    if not url.isascii() or not url.isprintable() or any(c in url for c in ' "\\<>') or len(url) > 1024:
        return ""
    scheme, found, rest = url.partition("://")
    if not found:  # git@host:path, as scp writes it
        host, colon, path = url.rpartition("@")[2].partition(":")
        if not colon or "/" in host or len(host) < 2:
            return ""
        scheme, rest = "ssh", f"{host}/{path.lstrip('/')}"
    place, slash, path = rest.partition("/")
    if "@" in path:  # perhaps the end of a password with a slash in it
        return ""
    path = path.split("?")[0].split("#")[0]
    host = place.rpartition("@")[2].lower()
    if scheme.lower() not in _SCHEMES or not slash or not _is_host(host):
        return ""
    if host.partition(":")[0] in _FORGES:
        return f"https://{host.partition(':')[0]}/{path.removesuffix('/').removesuffix('.git')}"
    return f"{scheme.lower()}://{host}/{path}"


def _is_host(host: str) -> bool:
    name, colon, port = host.partition(":")
    plain = bool(name) and all(c.isalnum() or c in ".-" for c in name)
    return plain and (not colon or port.isdigit())


def _text(path: str, limit: int) -> str | None:
    """The content of a regular file, None where there is none; Error when it is too large. Never waits for a pipe."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        content = file.read(limit + 1)
    if len(content) > limit:
        raise Error(f"{quoted(path)} has more than {limit} bytes, expected a file that git wrote")
    return content.decode("utf-8", "replace")

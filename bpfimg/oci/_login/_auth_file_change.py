"""Changes a file with logins, so that two who do so at once both succeed and nobody else can read it."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress

from bpfimg.errors import ImageError, RegistryError, StoreError
from bpfimg.oci._login._auth_file import FILE_LIMIT, is_legacy, parse_auth_file, unusable
from bpfimg.oci._store._files import read_file, write_all
from bpfimg.oci._store._lock import take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Edit = Callable[[dict[str, object]], bool]
    """Changes the entries in place; False when there was nothing to change."""


def change(path: str, edit: Edit, *, lock_timeout: float) -> bool:
    """Lets `edit` change the entries of a file; says whether it did. All else in the file stays as it is.

    A symbolic link is followed and stays. RegistryError when the file cannot be read or written (then it is as it
    was), LockTimeout when another holds its lock.
    """
    real = os.path.realpath(path)
    try:
        with _locked(real, lock_timeout):
            document = _document(real)
            entries = document if is_legacy(path) else document.setdefault("auths", {})
            if not isinstance(entries, dict):
                raise RegistryError(f"the field auths in {path} is no object, expected one with an entry per registry")
            if not edit(entries):
                return False
            _replace(real, (json.dumps(document, indent="\t", ensure_ascii=False) + "\n").encode())
            return True
    except OSError as error:
        raise RegistryError(
            f"the auth file {path} cannot be changed: {error.strerror}",
            hint="name another with --authfile",
        ) from error
    except (ImageError, StoreError) as error:
        raise unusable(path, error) from error


@contextmanager
def _locked(path: str, timeout: float) -> Iterator[None]:
    """A file beside it is locked, not itself: that is another one after each change."""
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    name = f"{path}.lock"
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        take(descriptor, name, timeout)
        yield
    finally:
        os.close(descriptor)


def _document(path: str) -> dict[str, object]:
    try:
        return parse_auth_file(read_file(path, FILE_LIMIT), path)
    except FileNotFoundError:
        return {}


def _replace(path: str, content: bytes) -> None:
    """Puts the content there, whole or not at all, for its owner alone."""
    draft = f"{path}.{os.getpid()}-{os.urandom(6).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(draft, flags, 0o600)
    try:
        with suppress(OSError):  # root with somebody's HOME: the file stays theirs
            there = os.stat(path)
            os.fchown(descriptor, there.st_uid, there.st_gid)
        write_all(descriptor, content)
        os.fsync(descriptor)
        os.replace(draft, path)
        draft = ""
    finally:
        os.close(descriptor)
        if draft:
            os.unlink(draft)

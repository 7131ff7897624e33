"""Kernels that were fetched: a folder for each package and version, and for each suite a word which one is its newest.

::

    CACHE/lock                                              held by the one command that fetches
    CACHE/bookworm.json                                     the newest of that suite; its time is when that was asked
    CACHE/linux-image-6.1.0-50-amd64_6.1.176-1/vmlinuz      with `config`, from that package
    CACHE/apt/bookworm/                                     lists of packages
    CACHE/.bpfimg-draft-*/                                  a download; what a killed command left goes with the next

Everything appears by a rename, so readers need no lock. The folder may be removed at any time.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
import time
from contextlib import contextmanager

from bpfimg._json import NotStrict, strict_object
from bpfimg.errors import Error, quoted
from bpfimg.guest import _apt, _kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.guest._words import Suite

__all__ = ["fetched"]

#: a kernel that is known is taken without asking the archive again for so long
_FRESH = 7 * 24 * 3600.0
_WORD_MAX = 4096
_DRAFT = ".bpfimg-draft-"  # whatever begins so is removed: no file of somebody else does
_FOLDER = re.compile(r"[A-Za-z0-9.+:~-]{1,128}_[A-Za-z0-9.+:~-]{1,128}")


def fetched(suite: Suite, cache: str, mirror: str | None, say: Callable[[str], None]) -> tuple[str, str]:
    """Path and package of the newest kernel of a suite, fetched where it is not there yet.

    Where the archive cannot be asked, the one that it had when it was asked last.
    """
    _check_owner(cache)
    known, fresh = _known(suite, cache)
    if known is not None and fresh:
        return known
    try:
        os.makedirs(cache, mode=0o755, exist_ok=True)
        with _locked(cache, say):
            known, fresh = _known(suite, cache)  # another command may have been faster
            if known is not None and fresh:
                return known
            try:
                return _renewed(suite, cache, mirror, say)
            except Error as error:
                if known is None:
                    raise
                say(f"taking {known[1]}, which is here: {error}")
                return known
    except OSError as error:
        raise Error(
            f"kernels cannot be kept in {quoted(cache)}: {error.strerror or error}",
            hint="--kernels-cache DIR names another folder",
        ) from error


def _check_owner(cache: str) -> None:
    """Error where others may put kernels into the folder, which would be taken for Debian's."""
    try:
        status = os.stat(cache)
    except OSError:
        return  # there is none yet
    if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o002:
        whose = "everybody may write" if status.st_mode & 0o002 else f"the user {status.st_uid} owns"
        raise Error(
            f"kernels are kept in {quoted(cache)}, which {whose}, expected a folder of your own",
            hint="--kernels-cache DIR names another folder",
        )


def _known(suite: Suite, cache: str) -> tuple[tuple[str, str] | None, bool]:
    """The kernel that the folder has of a suite, and whether that was looked at lately."""
    word = os.path.join(cache, f"{suite.name}.json")
    try:
        with open(word, "rb") as file:
            said = strict_object(file.read(_WORD_MAX), limit=_WORD_MAX)
            age = time.time() - os.fstat(file.fileno()).st_mtime
    except (OSError, NotStrict):
        return None, False
    folder, package = said.get("folder"), said.get("package")
    if not isinstance(folder, str) or not isinstance(package, str) or not _FOLDER.fullmatch(folder):
        return None, False
    image = os.path.join(cache, folder, "vmlinuz")
    return ((image, package), 0 <= age < _FRESH) if os.path.isfile(image) else (None, False)


def _renewed(suite: Suite, cache: str, mirror: str | None, say: Callable[[str], None]) -> tuple[str, str]:
    """Asks the archive, downloads what is new, and says which one is the newest from now on."""
    state = os.path.join(cache, "apt", suite.name)
    os.makedirs(state, exist_ok=True)
    say(f"asking Debian's archive for the kernel of {suite.name}")
    package = _apt.newest(suite, state, mirror)
    name = f"{package.name}_{package.version}"
    folder = os.path.join(cache, name)
    if not os.path.isfile(os.path.join(folder, "vmlinuz")):
        shutil.rmtree(folder, ignore_errors=True)
        say(f"fetching {package.title} ({package.size / 1e6:.0f} MB) into {cache}")
        _publish(package, cache, folder)
    draft = os.path.join(cache, f"{_DRAFT}{suite.name}.json")
    with open(draft, "w", encoding="ascii") as file:
        json.dump({"folder": name, "package": package.title}, file)
    os.replace(draft, os.path.join(cache, f"{suite.name}.json"))
    return os.path.join(folder, "vmlinuz"), package.title


def _publish(package: _apt.Package, cache: str, folder: str) -> None:
    draft = tempfile.mkdtemp(prefix=_DRAFT, dir=cache)
    try:
        loaded = _kernel.read(_apt.download(package, draft))
        ready = os.path.join(draft, "ready")
        os.mkdir(ready)
        for name, content in (("vmlinuz", loaded.image), ("config", loaded.config)):
            if not content:
                continue
            with open(os.path.join(ready, name), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        os.rename(ready, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _locked(cache: str, say: Callable[[str], None]) -> Iterator[None]:
    """The lock on the folder; what killed commands began is gone."""
    fd = os.open(os.path.join(cache, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another command fetches kernels, waiting for it")
            fcntl.flock(fd, fcntl.LOCK_EX)
        for name in os.listdir(cache):
            if name.startswith(_DRAFT):
                path = os.path.join(cache, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        yield
    finally:
        os.close(fd)

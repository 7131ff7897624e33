"""The layout of our directory in bpffs, in one place.

::

    <bpffs>/bpfimg/                   0700; flock on it is the writer's lock
      <load id>/                      one for each loaded object: the kernel id of its first program
        record                        LoadRecord
        prog-<name>  map-<name>       pins of its programs and maps
        code-<name>                   what a program is made of, for chains: see _code
        unfinished                    only while a `run` publishes: see _publish
        links/<link id>/record        LinkRecord; link id = the kernel id of the map that holds it
        links/<link id>/link          the commit of an attach: pin of the link (clsact: of the program)
      <load id>/links/<link id>/part-<n>  further kernel links of the same attachment, pinned before the commit
      tmp-<pid>-<random>/             work in progress, or what a killed writer left
"""

from __future__ import annotations

import os

from bpfimg.kernel import bpffs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

DIRECTORY = "bpfimg"
RECORD = "record"
UNFINISHED = "unfinished"
LINKS = "links"
LINK = "link"
PART = "part-"  # and a number from 1 on
WORK = "tmp-"


def is_id(name: str) -> bool:
    """True for the name of a load's or a link's directory: the kernel's ids have 32 bits."""
    return name.isascii() and name.isdigit() and len(name) <= 10


def pin_names(prefix: str, objects: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    """The pins of (name, kernel id) pairs: `prog-<name>`; the id takes the place of names that cannot be used."""
    names = [name for name, _ in objects]
    return tuple(f"{prefix}-{_encoded(name, number, names.count(name))}" for name, number in objects)


def _encoded(name: str, number: int, times: int) -> str:
    if times == 1:
        try:
            return bpffs.encode_name(name)
        except ValueError:
            pass  # longer than bpffs takes, or empty
    return str(number)


def work_directory(directory: str) -> str:
    """A fresh name for work in progress."""
    return f"{directory}/{WORK}{os.getpid()}-{os.urandom(6).hex()}"


def listed(path: str) -> list[str]:
    """The sorted names in a directory; none when it is not there (any more), or a symbolic link, which is not ours."""
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise bpffs.translated("list", path, error) from error
    try:
        return sorted(os.listdir(directory))
    except OSError as error:
        raise bpffs.translated("list", path, error) from error
    finally:
        os.close(directory)

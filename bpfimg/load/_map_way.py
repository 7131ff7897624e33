"""The way to pins that others may open: directories that let them pass (0711), list nothing, and close again."""

from __future__ import annotations

import os

from bpfimg.load._paths import WORK, is_id, listed

_PASS, _CLOSED, _OTHERS = 0o711, 0o700, 0o077


def open_way(path: str) -> None:
    """Lets others pass through a directory."""
    try:
        os.chmod(path, _PASS)
    except OSError as error:
        from bpfimg.kernel import bpffs

        raise bpffs.translated("open the way through", path, error) from error


def close_way(directory: str) -> None:
    """Closes the directory of all loads again when no load needs it open; if that cannot be, the next writer tries."""
    if not _mode(directory) & _OTHERS:
        return
    loads = (name for name in listed(directory) if is_id(name) or name.startswith(WORK))
    if not any(_mode(f"{directory}/{name}") & _OTHERS for name in loads):
        try:
            os.chmod(directory, _CLOSED)
        except OSError:
            return


def _mode(path: str) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0

"""The kernels of `--kernels`: found, fetched and booted, each once, with one question."""

from __future__ import annotations

import os

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.guest import Outcome, Question

__all__ = ["add", "asked", "cache_folder"]

_SECONDS = 300.0
_CACHE, _CACHE_OF_ROOT = "bpfimg/kernels", "/var/cache/bpfimg/kernels"


_BOOTING = "booting "  # how what is said of a boot begins


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words about guests."""
    parser.add_argument(
        "--kernels",
        metavar="WORD|PATH[,...]",
        action="append",
        help="real kernels, booted in QEMU: 6.1, 6.12, bookworm, trixie, sid, debian:12, bookworm-backports; "
        "a vmlinuz, a folder of them, a linux-image-*.deb (may be repeated)",
    )
    parser.add_argument(
        "--kernels-cache",
        metavar="DIR",
        help="where fetched kernels are kept, also BPFIMG_KERNELS_CACHE (default: $XDG_CACHE_HOME/bpfimg/kernels, "
        "for root /var/cache/bpfimg/kernels)",
    )
    parser.add_argument(
        "--kernels-mirror",
        metavar="ADDRESS",
        help="where Debian's are fetched from, also BPFIMG_KERNELS_MIRROR (default: as this machine's apt)",
    )
    parser.add_argument(
        "--kernels-timeout",
        metavar="SECONDS",
        type=float,
        default=_SECONDS,
        help=f"how long each of them may take (default {_SECONDS:g})",
    )


def asked(arguments: argparse.Namespace, options: Options, question: Question) -> tuple[Outcome, ...]:
    """What became of the question on each kernel of `--kernels`, in that order; says on stderr what takes long.

    Raises UsageError for words that mean no kernel, NotSupported where there can be no guests.
    """
    from bpfimg import guest
    from bpfimg.cli._parser import note, tell
    from bpfimg.cli._steps import counting

    if not 0 < arguments.kernels_timeout < float("inf"):
        raise UsageError(f"--kernels-timeout is {arguments.kernels_timeout:g}, expected seconds above 0")
    folder = cache_folder(arguments.kernels_cache, os.environ, os.geteuid())
    mirror = arguments.kernels_mirror or os.environ.get("BPFIMG_KERNELS_MIRROR")
    kernels = guest.find(arguments.kernels, folder, mirror=mirror, say=lambda text: tell(options, text))
    with counting(options, "booting", len(kernels), slow=True) as step:

        def say(text: str) -> None:
            note(options, text)
            if text.startswith(_BOOTING):
                step(text.removeprefix(_BOOTING))

        return guest.ask(kernels, question, timeout=arguments.kernels_timeout, libbpf=options.libbpf, say=say)


def cache_folder(given: str | None, environ: os._Environ[str] | dict[str, str], uid: int) -> str:
    """Where kernels are kept: as asked for, else as the XDG Base Directory Specification 0.8 has it."""
    chosen = given or environ.get("BPFIMG_KERNELS_CACHE")
    if chosen:
        return os.path.abspath(chosen)
    if uid == 0:
        return _CACHE_OF_ROOT
    home = environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, _CACHE)

"""What of an image goes along: the options of `copy` and `push`, checked."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.oci import Platform

__all__ = ["PLATFORM_HELP", "Copying", "add_copying", "add_platforms", "copying"]

PLATFORM_HELP = """\
Of an image for several platforms all go along, with --platform only those. The index stays as it is, so that its
digest and its signatures hold; but it then names images that are not there. Registries that look (Debian's
docker-registry does) refuse that, and other tools fail when they ask for another platform. For one platform, --flatten
copies that image in place of the index: whole everywhere, under a digest of its own, with its own signatures. A single
image has to be for the platform that is asked for, unless it names none."""


@value(frozen=True, slots=True)
class Copying:
    """Which platforms (none: all), whether as an index, and whether what is known about the image comes along.

    Platforms are `assumed` where nobody asked for them: a single image may be for another one then.
    """

    platforms: tuple[Platform, ...] = ()
    flatten: bool = False
    referrers: bool = True
    assumed: bool = False

    @property
    def only(self) -> Platform | None:
        """The platform, where one is asked for."""
        return self.platforms[0] if len(self.platforms) == 1 else None


def add_platforms(parser: argparse.ArgumentParser, text: str) -> None:
    """Adds `--platform`."""
    parser.add_argument("--platform", metavar="OS/ARCH", action="append", help=text)


def add_copying(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add_platforms(parser, "copy only this platform of the image (may be repeated)")
    parser.add_argument("--flatten", action="store_true", help="with one --platform: that image instead of the index")
    parser.add_argument("--no-referrers", action="store_true", help="leave signatures, SBOMs and the like behind")


def copying(arguments: argparse.Namespace) -> Copying:
    """The options; UsageError for what does not go together."""
    from bpfimg.cli._subjects import asked_platforms

    platforms = asked_platforms(arguments.platform)
    if arguments.flatten and len(platforms) != 1:
        raise UsageError(
            f"--flatten makes one image of an index and {len(platforms)} platforms are given, expected one --platform"
        )
    return Copying(platforms, arguments.flatten, not arguments.no_referrers)

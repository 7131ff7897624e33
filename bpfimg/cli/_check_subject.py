"""What `check` looks at: an object, from a file or an image; for this host's kernel one that is believed."""

from __future__ import annotations

import os

from bpfimg._value import replace, value
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.bytecode import Dissection, ProgramSpec
    from bpfimg.cli._asked import Asked
    from bpfimg.cli._options import Options
    from bpfimg.image import BytecodeImage
    from bpfimg.inspect import check
    from bpfimg.oci import Descriptor, Platform, Reference, Target

__all__ = ["Looked", "here", "looked"]


@value(frozen=True, slots=True)
class Looked:
    """An object: its bytes, what is in them, the programs that are asked for. Of an image also where it is, what it
    is called and its manifest, which is what the object is in whichever index; None for a file."""

    data: bytes
    dissection: Dissection
    programs: tuple[ProgramSpec, ...]
    place: Target | None = None
    reference: Reference | None = None
    manifest: Descriptor | None = None


def looked(arguments: argparse.Namespace, options: Options) -> Looked:
    """The object that the words name; nobody has to believe it."""
    from bpfimg.cli._object_file import means_file, read_object, shown

    word = arguments.what
    if os.path.isdir(word):
        return _of_folder(word, arguments)
    if means_file(word):
        return _looked(read_object(word), shown(word), arguments)
    from bpfimg.cli._places import located
    from bpfimg.image import BytecodeImage

    found = located(options, word, writes=bool(arguments.attest))
    image = BytecodeImage.fetch(found.place, found.descriptor, _platform(arguments))
    return _of_image(image, found.place, found.reference, found.descriptor, arguments)


def here(arguments: argparse.Namespace, options: Options, most: int | None) -> tuple[Looked, check.Check]:
    """The object, believed as `run` has it, and what the kernel that runs here says of its programs."""
    from bpfimg import run
    from bpfimg.cli._believed import believed
    from bpfimg.cli._object_file import means_file
    from bpfimg.cli._parser import note, warn
    from bpfimg.inspect import check

    if options.libbpf is not None:
        from bpfimg.kernel import libbpf

        libbpf.use(options.libbpf)
    word = arguments.what
    file = means_file(word)
    if file and not word.startswith(("/", "./", "../")):
        word = f"./{word}"
    place, verified = believed(word, _asked(arguments), options)
    image, tried = run.tried(
        place,
        verified,
        programs=arguments.program or (),
        platform=_platform(arguments),
        say=lambda program: note(options, f"trying {program}"),
        warn=warn,
    )
    descriptor, reference = verified.descriptor, verified.reference
    subject = _of_image(image, None if file else place, reference, descriptor, arguments)
    asked = check.Asked("this kernel", os.uname().release, "", tried)
    return subject, check.tried(subject.programs, subject.dissection.object.byte_order, [asked], max_insns=most)


def _asked(arguments: argparse.Namespace) -> Asked:
    from bpfimg.cli._asked import Asked
    from bpfimg.cli._fetched import pull_policy
    from bpfimg.cli._trust import trust

    whom = trust(arguments)
    if arguments.attest:  # then --key and --trusted-root are those of the signer
        whom = replace(whom, key=None, trusted_root=None if arguments.signing_config else whom.trusted_root)
    pull = pull_policy(arguments.pull, "missing")
    return Asked((), {}, {}, None, whom, allow_downgrade=False, pull=pull, pull_given=arguments.pull, dry_run=True)


def _platform(arguments: argparse.Namespace) -> Platform:
    from bpfimg.oci import Platform

    return Platform.parse(arguments.platform) if arguments.platform else Platform.host()


def _of_folder(word: str, arguments: argparse.Namespace) -> Looked:
    from bpfimg.cli._subjects import of_folder

    subject, *more = of_folder(word)
    if more:
        raise UsageError(f"{quoted(word)} is a folder of several objects, expected one object or image")
    if subject.error is not None:
        raise subject.error
    return _looked(subject.data, subject.name, arguments)


def _of_image(
    image: BytecodeImage, place: Target | None, reference: Reference, top: Descriptor, arguments: argparse.Namespace
) -> Looked:
    found = _looked(image.bytecode, arguments.what, arguments)
    if place is None:
        return found
    return replace(found, place=place, reference=reference, manifest=image.descriptor or top)


def _looked(data: bytes, name: str, arguments: argparse.Namespace) -> Looked:
    from bpfimg.cli._object_file import dissected

    dissection = dissected(data, name)
    every = dissection.object.programs
    names = [_name(word) for word in arguments.program or ()]
    return Looked(data, dissection, tuple(dissection.object.program(each) for each in dict.fromkeys(names)) or every)


def _name(word: str) -> str:
    """The name in NAME, TYPE:NAME or TYPE:NAME:TARGET."""
    words = word.split(":", 2)
    return words[0] if len(words) == 1 else words[1]

"""What `lint` and `diff` look at: object files, folders of them, C sources, and images with all their platforms."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import BytecodeError, ImageError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.cli._options import Options
    from bpfimg.image import BytecodeImage
    from bpfimg.oci import Platform

__all__ = ["Subject", "asked_platforms", "of_folder", "of_image", "of_source", "subjects"]


@value(frozen=True, slots=True)
class Subject:
    """One object file, what a C source becomes for one platform, or one platform of an image.

    `name` is the word of the caller, or a file in a folder of that name. `platform` is "" for an object file. `image`
    is None for a file, and for what cannot be read: then `error` says why and `data` is empty.
    """

    name: str
    platform: str
    data: bytes
    image: BytecodeImage | None = None
    error: ImageError | BytecodeError | None = None


def asked_platforms(texts: Sequence[str] | None) -> tuple[Platform, ...]:
    """The platforms of `--platform linux/amd64,linux/arm64`, which may be repeated; UsageError for what is none."""
    from bpfimg.oci import Platform

    return tuple(Platform.parse(word) for text in texts or () for word in text.split(","))


def subjects(words: Sequence[str], options: Options, platforms: Sequence[Platform] = ()) -> Iterator[Subject]:
    """What the words name, in their order; of an image the platforms that are asked for, else all. A C source is
    compiled for those platforms, else for this machine, as `bpfimg build` does it here; nothing is written.

    Raises UsageError for a folder without eBPF objects, BytecodeError for a file that cannot be read, and whatever the
    place of an image does.
    """
    from bpfimg.cli._object_file import means_file, read_object, shown

    for word in words:
        if os.path.isdir(word):
            yield from of_folder(word)
        elif word.endswith(".c"):
            yield from of_source(word, platforms)
        elif means_file(word):
            yield Subject(shown(word), "", read_object(word))
        else:
            yield from of_image(word, options, platforms)


def of_folder(path: str) -> Iterator[Subject]:
    """The `*.o` files below a folder by name; those that are for another kind of processor are passed over.

    One that cannot be read is a subject with an error: it does not keep the others from being looked at.
    """
    from bpfimg.cli._object_file import read_object, shown

    count = 0
    for folder, inner, names in os.walk(path):
        inner.sort()
        for name in sorted(names):
            file = os.path.join(folder, name)
            if not name.endswith(".o") or not os.path.isfile(file):
                continue
            try:
                data = read_object(file)
            except BytecodeError as error:
                count += 1
                yield Subject(shown(file), "", b"", None, error)
                continue
            if data.startswith(b"\x7fELF") and data[18:20] not in (b"\xf7\0", b"\0\xf7"):
                continue
            count += 1
            yield Subject(shown(file), "", data)
    if not count:
        raise UsageError(f"the folder {path!r} holds no eBPF object, expected files that end in .o")


def of_source(path: str, platforms: Sequence[Platform] = ()) -> Iterator[Subject]:
    """What clang makes of a C source, with macros and include folders as a bpfimg.toml in this folder has them."""
    from bpfimg import build
    from bpfimg.cli._object_file import shown
    from bpfimg.cli._parser import warn
    from bpfimg.oci import Platform

    named = build.project.NAME
    project = build.project.load(named) if os.path.exists(named) else None
    for platform in platforms or (Platform.host(),):
        made = build.compile_c(
            path,
            arch=platform.architecture,
            defines=project.defines if project else (),
            includes=project.includes if project else (),
            compiler=(project.compiler if project else None) or "clang",
            cpu=project.cpu if project else None,
            warn=warn,
        )
        yield Subject(shown(path), str(platform), made)


def of_image(word: str, options: Options, platforms: Sequence[Platform] = ()) -> Iterator[Subject]:
    """The image's platforms: all, or those asked for. An image of one manifest is for its own platform alone."""
    from bpfimg.cli._places import located
    from bpfimg.image import BytecodeImage

    found = located(options, word)
    there = BytecodeImage.platforms(found.place, found.descriptor)
    for platform in (platforms or there) if there else (None,):
        try:
            image = BytecodeImage.fetch(found.place, found.descriptor, platform)
        except (ImageError, BytecodeError) as error:
            yield Subject(word, str(platform or ""), b"", None, error)
        else:
            yield Subject(word, str(platform or image.platform), image.bytecode, image)

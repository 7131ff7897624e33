"""`bpfimg build`: an object file or a C source becomes a bytecode image in the local store."""

from __future__ import annotations

import os

from bpfimg.errors import BytecodeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.image import BytecodeImage
    from bpfimg.oci import Descriptor, Platform, Reference

EPILOG = """\
INPUT is an object file, a C source, or linux/ARCH=FILE for an image of several architectures. A C source is
compiled with `clang -g -O2 -target bpf`. The same input gives the same digest, anywhere and at any time;
SOURCE_DATE_EPOCH sets the time that the image states (default 0).

examples:
  bpfimg build -t registry.example/xdp_counter:v1 xdp_counter.bpf.c
  bpfimg build -t registry.example/probe:v1 linux/amd64=probe_x86.o linux/arm64=probe_arm64.o --push"""

#: an object file above the spec's limit is refused after this much was read
_READ_LIMIT = 64 * 1024 * 1024 + 1


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="OBJ.o, SRC.c or linux/ARCH=FILE")
    parser.add_argument(
        "-t", "--tag", metavar="REF", action="append", required=True, help="name of the image; may be repeated"
    )
    parser.add_argument(
        "-D", dest="defines", metavar="NAME[=VALUE]", action="append", default=[], help="macro for the C source"
    )
    parser.add_argument(
        "-I", dest="includes", metavar="DIR", action="append", default=[], help="folder of headers for the C source"
    )
    parser.add_argument("--label", metavar="K=V", action="append", help="label in the image's config")
    parser.add_argument("--annotation", metavar="K=V", action="append", help="annotation on the image's manifest")
    parser.add_argument("--push", action="store_true", help="push each REF to its registry, too")
    parser.add_argument("--digest-file", metavar="FILE", help="write the digest to FILE")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Builds, stores, prints `REF@sha256:...` for each REF."""
    from bpfimg import build
    from bpfimg.cli._places import store
    from bpfimg.oci import Reference

    references = [Reference.parse(text) for text in arguments.tag]
    for reference in references:
        if reference.digest is not None:
            raise UsageError(
                f"--tag is {reference}, expected a name without digest: the digest is what the build answers"
            )
    images = [_image(platform, path, arguments) for platform, path in _inputs(arguments.inputs)]
    descriptors = []
    for reference in references:
        assert reference.tag is not None
        local = store(options, reference.repository)
        descriptors.append(build.store(images, local, reference.tag))
        if arguments.push:
            _push(options, reference)
    if arguments.digest_file:
        _write_digest(arguments.digest_file, descriptors[0])
    _print(options, references, descriptors)
    return 0


def _inputs(words: Sequence[str]) -> list[tuple[Platform, str]]:
    """Each input with its platform; a bare file is for this machine's."""
    from bpfimg.oci import Platform

    inputs: list[tuple[Platform, str]] = []
    for word in words:
        left, equals, right = word.partition("=")
        if equals and left.startswith("linux/"):
            inputs.append((Platform.parse(left), right))
        else:
            inputs.append((Platform.host(), word))
    if len(inputs) > 1:
        bare = [word for word in words if not word.startswith("linux/")]
        if bare:
            hint = "write linux/amd64=FILE; a BPF object records its byte order but not its architecture"
            raise UsageError(
                f"{bare[0]!r} has no platform, expected linux/ARCH=FILE where there are several inputs", hint=hint
            )
    return inputs


def _image(platform: Platform, path: str, arguments: argparse.Namespace) -> BytecodeImage:
    from bpfimg import build
    from bpfimg.cli._parser import key_values, warn

    if path.endswith(".c"):
        data = build.compile_c(
            path, defines=arguments.defines, includes=arguments.includes, arch=platform.architecture, warn=warn
        )
    else:
        if arguments.defines or arguments.includes:
            raise UsageError(
                f"{path!r} is not a C source, so -D and -I have no meaning, expected a file that ends in .c"
            )
        data = read_object(path)
    image = build.image(
        data,
        platform=platform,
        file_name=build.object_name(path),
        created=_epoch(),
        labels=key_values(arguments.label, "--label"),
        annotations=key_values(arguments.annotation, "--annotation"),
    )
    for finding in image.check():
        warn(f"{path}: {finding.message} ({finding.rule})")
    return image


def read_object(path: str) -> bytes:
    """The bytes of an object file, bounded; raises `BytecodeError`."""
    try:
        with open(path, "rb") as file:
            return file.read(_READ_LIMIT)
    except OSError as error:
        raise BytecodeError(f"{path!r} cannot be read: {error.strerror}") from error


def _epoch() -> int:
    text = os.environ.get("SOURCE_DATE_EPOCH") or "0"
    if not (text.isascii() and text.isdigit()) or int(text) > 0o77777777777:
        raise UsageError(f"SOURCE_DATE_EPOCH is {text!r}, expected seconds since 1970 as a whole number")
    return int(text)


def _push(options: Options, reference: Reference) -> None:
    from bpfimg.cli._places import registry, store
    from bpfimg.oci import copy

    local, remote = store(options, reference.repository), registry(options, reference.repository)
    copy(local, reference.selector, remote, reference.tag)


def _write_digest(path: str, descriptor: Descriptor) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{descriptor.digest}\n")
    except OSError as error:
        raise UsageError(f"--digest-file {path!r} cannot be written: {error.strerror}") from error


def _print(options: Options, references: Sequence[Reference], descriptors: Sequence[Descriptor]) -> None:
    from bpfimg.cli._render import image_entry, json_text

    if options.json:
        print(json_text({"images": [image_entry(str(r), d) for r, d in zip(references, descriptors, strict=True)]}))
        return
    for reference, descriptor in zip(references, descriptors, strict=True):
        print(descriptor.digest if options.quiet else f"{reference}@{descriptor.digest}")

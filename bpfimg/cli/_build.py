"""`bpfimg build`: object files or C sources become a bytecode image in the local store."""

from __future__ import annotations

import os

from bpfimg.cli import _build_documents, _build_engine, _build_recipe
from bpfimg.cli._report_files import add_reports
from bpfimg.errors import BytecodeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.build import Built, Recipe
    from bpfimg.cli._options import Options
    from bpfimg.oci import Descriptor, Reference

EPILOG = """\
INPUT is an object file, a C source, a folder of objects, or linux/ARCH=FILE (linux/ARCH,linux/ARCH=FILE) for an image
of several platforms. Names that bpf2go gives (prog_arm64_bpfel.o) tell the platform; prog_bpfel.o is for every
little-endian platform that --platform names. A C source is compiled with `clang -g -O2 -target bpf`, once for each
platform. Without INPUT, bpfimg.toml says what to build.

DWARF is taken off, BTF stays. The same input gives the same digest, anywhere and at any time; SOURCE_DATE_EPOCH sets
the time that the image states (default 0). --git states the commit that is checked out; changes since are not looked
for.

examples:
  bpfimg build -t registry.example/xdp_counter:v1 xdp_counter.bpf.c
  bpfimg build -t registry.example/probe:v1 linux/amd64=probe_x86.o \\
    linux/arm64=probe_arm64.o --push
  bpfimg build -t registry.example/probe:v1 --platform linux/amd64,linux/arm64 \\
    probe.bpf.c
  bpfimg build -t registry.example/suite:v1 --link xdp.o maps.o
  bpfimg build -t registry.example/xdp_counter:v1 --sbom --provenance \\
    --push xdp_counter.bpf.c
  bpfimg build --print containerfile xdp_counter.bpf.o"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    _build_recipe.add(parser)
    _build_documents.add(parser)
    _build_engine.add(parser)
    parser.add_argument("--push", action="store_true", help="push each REF to its registry, too")
    parser.add_argument("--digest-file", metavar="FILE", help="write the digest to FILE")
    add_reports(parser, "github: what the compiler says, as annotations for GitHub's runner")
    parser.add_argument("--check", metavar="REF", help="store nothing: say whether REF is what these inputs make")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Builds, stores, prints `REF@sha256:...` for each REF."""
    from bpfimg import build
    from bpfimg.cli._build_said import say
    from bpfimg.cli._parser import warn

    for_engine = _build_engine.asked(arguments)
    job = _build_recipe.job(arguments)
    if for_engine:
        return _build_engine.run(arguments, options, job)
    if arguments.check:
        from bpfimg.cli._build_check import check

        return check(options, arguments.check, build.images(job.recipe, warn=warn), job.recipe)
    references = _references(job.tags)
    if arguments.digest_file:
        _writable(arguments.digest_file)
    wanted = _build_documents.wanted(arguments, job.project)
    built = _built(arguments, job.recipe)
    say(options, built, guessed=job.guessed)
    descriptors, attached = [], []
    for reference in references:
        top, documents = _stored(options, reference, built, job.recipe, wanted, push=arguments.push)
        descriptors.append(top)
        attached += documents
    if arguments.digest_file:
        _write_digest(arguments.digest_file, descriptors[0])
    _print(options, references, descriptors, built, attached)
    return 0


def _built(arguments: argparse.Namespace, recipe: Recipe) -> tuple[Built, ...]:
    """The images; what the compiler says of the sources goes into the reports, whether it takes them or not."""
    from bpfimg import build
    from bpfimg.cli._parser import warn

    if not arguments.report:
        return build.images(recipe, warn=warn)
    from bpfimg.cli._build_remarks import FORMATS, render
    from bpfimg.cli._report_files import reports, write

    wanted = reports(arguments.report, FORMATS)
    said: list[str] = []

    def warned(text: str) -> None:
        said.append(text)
        warn(text)

    try:
        return build.images(recipe, warn=warned)
    except BytecodeError as error:
        said.append(error.hint)
        raise
    finally:
        write(wanted, lambda _: render(said))


def _references(tags: Sequence[str]) -> list[Reference]:
    from bpfimg.oci import Reference

    if not tags:
        raise UsageError("the image has no name, expected -t REF or tags in the project file")
    references = [Reference.parse(text) for text in tags]
    for reference in references:
        if reference.digest is not None:
            raise UsageError(
                f"--tag is {reference}, expected a name without digest: the digest is what the build answers"
            )
    return references


def _stored(
    options: Options,
    reference: Reference,
    built: Sequence[Built],
    recipe: Recipe,
    wanted: _build_documents.Wanted,
    *,
    push: bool,
) -> tuple[Descriptor, list[dict[str, object]]]:
    """The image under one name, and the documents that were attached to it, as JSON has them."""
    from bpfimg import build
    from bpfimg.cli._places import registry, store
    from bpfimg.oci import copy

    local = store(options, reference.repository)
    about = _build_documents.before(wanted, built, reference.repository)
    top = build.store([each.image for each in built], local, reference.tag, annotations=recipe.annotations)
    about += _build_documents.after(wanted, built, reference.repository, top)
    attached = _build_documents.attach(options, local, about)
    if push:
        copy(local, reference.selector, registry(options, reference.repository), reference.tag)
    return top, attached


def _writable(path: str) -> None:
    """UsageError now rather than when the image is already pushed."""
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise UsageError(f"--digest-file {path!r} cannot be written: there is no folder {folder!r}")
    if os.path.isdir(path) or not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise UsageError(f"--digest-file {path!r} cannot be written, expected a file of yours")


def _write_digest(path: str, descriptor: Descriptor) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{descriptor.digest}\n")
    except OSError as error:
        raise UsageError(f"--digest-file {path!r} cannot be written: {error.strerror}") from error


def _print(
    options: Options,
    references: Sequence[Reference],
    descriptors: Sequence[Descriptor],
    built: Sequence[Built],
    attached: Sequence[dict[str, object]],
) -> None:
    from bpfimg.cli._build_said import as_json
    from bpfimg.cli._render import image_entry, json_text

    if options.json:
        images = [image_entry(str(r), d) for r, d in zip(references, descriptors, strict=True)]
        documents = {"documents": list(attached)} if attached else {}
        print(json_text({"images": images, "build": as_json(built), **documents}))
        return
    for reference, descriptor in zip(references, descriptors, strict=True):
        print(descriptor.digest if options.quiet else f"{reference}@{descriptor.digest}")

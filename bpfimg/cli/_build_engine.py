"""`--engine` and `--print` of `bpfimg build`: for those whose pipeline builds with docker or podman."""

from __future__ import annotations

import os

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.build import Built, Recipe
    from bpfimg.build import containerfile as containerfiles
    from bpfimg.build import engine as engines
    from bpfimg.cli._build_recipe import Job
    from bpfimg.cli._options import Options
    from bpfimg.oci import Reference

__all__ = ["add", "asked", "run"]

PRINTS = ("containerfile", "build-args", "shell")
_NOT_HERE = ("push", "digest_file", "sbom", "sbom_format", "provenance", "builder_id", "check")


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument(
        "--engine", metavar="docker|podman", help="let a container engine make the image, in its own storage"
    )
    parser.add_argument(
        "--print",
        dest="print",
        metavar="containerfile|build-args|shell",
        help="build nothing: print a Containerfile, KEY=VALUE lines for --build-arg-file, or the same for `eval`",
    )


def asked(arguments: argparse.Namespace) -> bool:
    """Whether this build is for an engine; UsageError when it is, and for something else as well."""
    words = [word for word in ("engine", "print") if getattr(arguments, word)]
    if not words:
        return False
    others = [word for word in (*_NOT_HERE, *words[1:]) if getattr(arguments, word)]
    if others:
        other = "--" + others[0].replace("_", "-")
        raise UsageError(
            f"{other} has no meaning with --{words[0]}", hint="what an engine makes has another digest each time"
        )
    return True


def run(arguments: argparse.Namespace, options: Options, job: Job) -> int:
    """Prints what is asked for, or what the engine has made."""
    from bpfimg import build
    from bpfimg.cli._build_said import say
    from bpfimg.cli._parser import warn

    if job.recipe.variant != "image":
        raise UsageError("engines make ordinary images only, expected --variant image")
    if arguments.print:
        return _print(arguments.print, options, job.recipe)
    references = _references(job.tags)
    built = build.images(job.recipe, warn=warn)
    say(options, built, guessed=job.guessed)
    with build.engine.Engine(arguments.engine, os.environ) as engine:
        made = [engine.build(each.image, _named(references, each, several=len(built) > 1)) for each in built]
    warn(f"{arguments.engine} stamps the time into its images: unlike bpfimg's own they have another digest each time")
    _show(options, arguments.engine, made)
    return 0


def _references(tags: Sequence[str]) -> list[Reference]:
    from bpfimg.oci import Reference

    references = [Reference.parse(text) for text in tags]
    if not references or any(reference.digest for reference in references):
        raise UsageError("an engine's image has no name, expected -t NAME:TAG", hint="without a digest")
    return references


def _named(references: Sequence[Reference], built: Built, *, several: bool) -> list[Reference]:
    """Engines keep one platform under a name: with several, each gets its architecture into the tag."""
    if not several:
        return list(references)
    end = str(built.image.platform).partition("/")[2].replace("/", "-")
    return [reference.with_tag(f"{reference.tag}-{end}") for reference in references]


def _show(options: Options, kind: str, made: Sequence[engines.EngineImage]) -> None:
    from bpfimg.cli._render import json_text

    if options.json:
        images = [
            {
                "id": each.id,
                "engine": kind,
                "platform": each.platform,
                "references": list(each.names),
                "digest": each.digest,
            }
            for each in made
        ]
        print(json_text({"images": images}))
        return
    for each in made:
        if options.quiet:
            print(each.id)
            continue
        for name in each.names:
            print(f"{name} {each.id}" + (f" {name}@{each.digest}" if each.digest else ""))


def _print(what: str, options: Options, recipe: Recipe) -> int:
    from bpfimg import build
    from bpfimg.cli._parser import warn
    from bpfimg.cli._render import json_text

    if what not in PRINTS:
        raise UsageError(f"--print is {what!r}, expected {', '.join(PRINTS)}")
    if recipe.link or any(path.endswith(".c") for slot in recipe.slots for path in slot.paths):
        raise UsageError(
            "an engine copies object files, so --print takes no C source and no --link",
            hint="compile first, or let --engine or bpfimg itself build the image",
        )
    built = build.images(recipe, warn=warn)
    inputs = [(os.path.relpath(slot.paths[0]), each.image) for slot, each in zip(recipe.slots, built, strict=True)]
    for (path, _), each in zip(inputs, built, strict=True):
        if each.stripped:
            warn(f"{path} has {each.stripped} bytes of DWARF, which an engine leaves in: `llvm-strip -g` takes it off")
    if options.json:
        print(json_text(_document(what, inputs)))
    elif what == "containerfile":
        print(build.containerfile.containerfile(inputs), end="")
    else:
        values = build.containerfile.build_arguments(inputs)
        plain = "".join(f"{name}={text}\n" for name, text in values.items())
        print(build.containerfile.shell(values) if what == "shell" else plain, end="")
    return 0


def _document(what: str, inputs: containerfiles.Inputs) -> dict[str, object]:
    """As bpfman's `generate-build-args -o json` has it."""
    from bpfimg.build import containerfile

    if what == "containerfile":
        return {"containerfile": containerfile.containerfile(inputs)}
    labels = inputs[0][1].labels
    return {
        "platforms": [str(image.platform) for _, image in inputs],
        "build_args": containerfile.build_arguments(inputs),
        "programs": dict(labels.programs),
        "maps": dict(labels.maps),
    }

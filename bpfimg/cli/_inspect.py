"""`bpfimg inspect`: what is in an image or object file, without running it or trusting its labels."""

from __future__ import annotations

from bpfimg.cli import _help
from bpfimg.errors import NotFound, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.bytecode import Dissection
    from bpfimg.cli._options import Options

    Document = dict[str, object]

EPILOG = f"""\
What is shown is read from the object itself; nothing is verified, loaded or run, and nothing needs root but --id.
Of an image for several platforms, the one for this machine is shown, unless --platform names another. Where its
labels say something else than its object, that is shown, too. Versions are those of the first mainline kernel with a
feature: what a kernel has, only trying tells. -v shows all rows of long tables, and the bytes of instructions.

{_help.TRANSPORTS}

examples:
  bpfimg inspect xdp_counter.bpf.o
  bpfimg inspect registry.example/xdp_counter:v1 --platform linux/arm64 -o json
  bpfimg inspect xdp_counter.bpf.o --disassemble xdp_count --source
  bpfimg inspect xdp_counter.bpf.o --graph svg > xdp_counter.svg
  bpfimg inspect --id 42 --disassemble"""

_EVERYTHING = "*"


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("what", metavar="REF|OBJ", nargs="?", help="an image, or the path of an ELF object")
    parser.add_argument("--platform", metavar="OS/ARCH", help="which image of an index: linux/arm64")
    parser.add_argument(
        "--disassemble",
        metavar="PROGRAM",
        nargs="?",
        const=_EVERYTHING,
        help="instructions of that program or sub-program, or of all of them",
    )
    parser.add_argument("--source", action="store_true", help="source lines between the instructions")
    parser.add_argument("--types", action="store_true", help="types of map keys, map values and globals as C")
    parser.add_argument("--core", action="store_true", help="CO-RE relocations in words")
    parser.add_argument("--graph", metavar="mermaid|svg", help="draw who calls whom and who uses which map")
    parser.add_argument(
        "--graph-of",
        metavar="PARTS",
        default="calls,maps",
        help="what to draw: calls,maps,helpers (default calls,maps)",
    )
    parser.add_argument("--id", metavar="ID", help="a program that is in the kernel, instead of a file; needs root")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints what is there: text, JSON, or a drawing."""
    if arguments.graph not in (None, "mermaid", "svg"):
        raise UsageError(f"--graph is {arguments.graph!r}, expected mermaid or svg")
    if arguments.graph and options.json:
        raise UsageError(f"--graph {arguments.graph} is no JSON, expected it without -o json")
    if (arguments.what is None) == (arguments.id is None):
        raise UsageError("inspect needs one thing to look at, expected REF, OBJ or --id ID")
    if arguments.id is not None:
        from bpfimg.cli import _inspect_kernel

        return _inspect_kernel.run(arguments, options)
    from bpfimg.cli._object_file import means_file

    head, found = _file(arguments) if means_file(arguments.what) else _image(arguments, options)
    if options.quiet and not arguments.graph:
        from bpfimg.cli._inspect_text import digest_of

        print(head.get("digest") or digest_of(found.elf.data))
        return 0
    _print(head, found, arguments, options)
    return 0


def _file(arguments: argparse.Namespace) -> tuple[Document, Dissection]:
    from bpfimg.cli._object_file import dissected, read_object, shown

    if arguments.platform is not None:
        raise UsageError(f"--platform is for images, {arguments.what!r} is a file")
    return {"id": shown(arguments.what)}, dissected(read_object(arguments.what), arguments.what)


def _image(arguments: argparse.Namespace, options: Options) -> tuple[Document, Dissection]:
    from bpfimg import inspect
    from bpfimg.cli._places import located
    from bpfimg.oci import Platform

    wanted = Platform.parse(arguments.platform) if arguments.platform is not None else None
    found = located(options, arguments.what)
    try:
        seen = inspect.image(found.place, found.descriptor, wanted, Platform.host())
    except NotFound as error:
        # a pull leaves out the other platforms of an index
        hint = "`bpfimg pull --all-platforms` fetches every platform" if found.descriptor.is_index else error.hint
        raise NotFound(str(error), status=error.status, code=error.code, hint=hint) from error
    digest = str(found.descriptor.digest)
    return {"id": digest, "reference": found.name, "digest": digest, **seen.head()}, seen.dissection


def _print(head: Document, found: Dissection, arguments: argparse.Namespace, options: Options) -> None:
    from bpfimg.cli._render import json_text

    if arguments.graph:
        print(_drawing(head, found, arguments), end="")
        return
    from bpfimg import inspect

    code = _code(found, arguments)
    document = {
        **head,
        **inspect.report(found, code=code, types=arguments.types, core=arguments.core or options.json),
    }
    if options.json:
        from bpfimg.cli._inspect_text import digest_of

        print(json_text({**document, "object_digest": digest_of(found.elf.data)}))
        return
    from bpfimg.cli import _inspect_text

    parts = [arguments.types, arguments.core, code is not None]
    if not any(parts):
        print(_inspect_text.overview(document, whole=options.verbose), end="")
        return
    from bpfimg.cli import _inspect_more

    print(_inspect_more.text(document, source=arguments.source, raw=options.verbose), end="")


def _code(found: Dissection, arguments: argparse.Namespace) -> list[str] | None:
    if arguments.disassemble is None:
        if not arguments.source:
            return None
        arguments.disassemble = _EVERYTHING
    if arguments.disassemble != _EVERYTHING:
        return [arguments.disassemble]
    names = [*(p.name for p in found.object.programs), *(f.name for f in found.object.functions)]
    return list(dict.fromkeys(names))


def _drawing(head: Document, found: Dissection, arguments: argparse.Namespace) -> str:
    from bpfimg.inspect import graph

    parts = arguments.graph_of.split(",")
    if not set(parts) <= {"calls", "maps", "helpers"}:
        raise UsageError(f"--graph-of is {arguments.graph_of!r}, expected some of calls,maps,helpers")
    made = graph(found, parts=parts)
    title = str(head.get("reference") or str(head["id"]).rpartition("/")[2])
    return made.mermaid() if arguments.graph == "mermaid" else made.svg(title)

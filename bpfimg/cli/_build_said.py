"""What a person should know of a build, on stderr, and the same as JSON."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.build import Built
    from bpfimg.cli._options import Options

__all__ = ["as_json", "say"]


def say(options: Options, built: Sequence[Built], *, guessed: bool) -> None:
    """What was taken off, how platforms differ, what peers would refuse; for which platforms the image is where that
    was `guessed`. With -v also what was done to get there."""
    from bpfimg.build import compare
    from bpfimg.cli._parser import note, tell, warn

    images = [each.image for each in built]
    for each in built:
        note(options, _done(each))
    for line in dict.fromkeys(_stripped(each) for each in built if each.stripped and _given(each)):
        tell(options, line)
    for names in dict.fromkeys(each.declared for each in built if each.declared):
        tell(options, f"declared {', '.join(names)} in '.maps': libbpf takes no maps of section 'maps'")
    if guessed and len(images) > 1:
        tell(options, f"made for {', '.join(str(image.platform) for image in images)} and no other platform")
    for sentence in compare.shared(images):
        warn(sentence)
    for difference in compare.differences(images):
        warn(str(difference))
    for image in images:
        if what := image.too_large():  # all else that could be said of labels is made from the object just now
            warn(f"{image.file_name}: {what} (BI-36)")


def _given(built: Built) -> list[str]:
    """The objects among the inputs: that what was compiled here loses its DWARF again is no news."""
    return [source.path for source in built.sources if source.kind == "object"]


def _done(built: Built) -> str:
    image = built.image
    how = f"{built.compiler} {' '.join(built.arguments)}" if built.arguments else f"from {', '.join(_given(built))}"
    left = f", {built.stripped} less without DWARF" if built.stripped else ""
    return f"{image.platform}: {image.file_name}, {len(image.bytecode)} bytes{left}: {how}"


def _stripped(built: Built) -> str:
    # with the symbols and relocations of DWARF: more than its sections have
    return f"took DWARF off {', '.join(_given(built))}: {built.stripped} bytes less"


def as_json(built: Sequence[Built]) -> dict[str, object]:
    """`build` of the JSON answer: each platform's object, and how the platforms differ."""
    from bpfimg.build import compare

    return {
        "platforms": [
            {
                "platform": str(each.image.platform),
                "object": each.image.file_name,
                "size": len(each.image.bytecode),
                "stripped": each.stripped,
                "compiler": each.compiler,
                "linker": each.linker,
                "sources": [
                    {"path": source.path, "kind": source.kind, "digest": f"sha256:{source.digest}"}
                    for source in each.sources
                ],
            }
            for each in built
        ],
        "differences": [
            {
                "kind": difference.kind,
                "name": difference.name,
                "platforms": list(difference.platforms),
                "types": list(difference.types),
            }
            for difference in compare.differences([each.image for each in built])
        ],
    }

"""`bpfimg build --check REF`: build again, store nothing, say whether REF is the same."""

from __future__ import annotations

from bpfimg.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.build import Built, Recipe
    from bpfimg.cli._options import Options

__all__ = ["check"]


def check(options: Options, text: str, built: Sequence[Built], recipe: Recipe) -> int:
    """Prints `REF@digest` when the image is what was built; Error, naming what differs first, when it is not."""
    from bpfimg import build
    from bpfimg.cli._places import located
    from bpfimg.cli._render import print_image

    there = located(options, text)
    found = build.again.difference(built, there.place, there.descriptor, annotations=recipe.annotations)
    if found is not None:
        hint = "the same compiler, options and SOURCE_DATE_EPOCH are needed to make the same image"
        raise Error(f"{there.name} is not what these inputs make: {found}", hint=hint)
    print_image(options, there.reference, there.descriptor)
    return 0

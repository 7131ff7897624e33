"""Object files or C sources to bytecode images.

The module is the verb: write `from bpfimg import build` and `build.image(...)`. The same input gives the same digest in
any folder, on any day.

* `image`: one object and a platform to an image; `store` pushes images, as a manifest or an index
* `slots`, `Recipe`, `images`: words as the command line has them to what goes where, and that to images (`Built`)
* `compile_c`, `object_name`: one C source to an object; an input's name in the image
* `again`: is an image what was built? `compare`: how the images of an index differ
* `git`: what a checkout says of itself; `project`: bpfimg.toml
* `documents`: SBOM and provenance of what was built, as referrers; reading referrers
* `containerfile`, `engine`: for those who build with docker or podman
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.build import _again as again
    from bpfimg.build import _compare as compare
    from bpfimg.build import _containerfile as containerfile
    from bpfimg.build import _documents as documents
    from bpfimg.build import _engine as engine
    from bpfimg.build import _git as git
    from bpfimg.build import _project as project
    from bpfimg.build._build import image, object_name
    from bpfimg.build._clang import compile_c
    from bpfimg.build._inputs import slots
    from bpfimg.build._made import Built
    from bpfimg.build._make import Recipe, images
    from bpfimg.build._store import store

__all__ = [
    "Built",
    "Recipe",
    "again",
    "compare",
    "compile_c",
    "containerfile",
    "documents",
    "engine",
    "git",
    "image",
    "images",
    "object_name",
    "project",
    "slots",
    "store",
]

__getattr__ = opened(
    __name__,
    {
        "Built": "_made",
        "Recipe": "_make",
        "again": "_again*",
        "compare": "_compare*",
        "compile_c": "_clang",
        "containerfile": "_containerfile*",
        "documents": "_documents*",
        "engine": "_engine*",
        "git": "_git*",
        "image": "_build",
        "images": "_make",
        "object_name": "_build",
        "project": "_project*",
        "slots": "_inputs",
        "store": "_store",
    },
)

"""Object files or C sources to bytecode images: `build.compile_c`, `build.image`, `build.store`.

The module is the verb: write `from bpfimg import build` and `build.image(...)`. The same input gives the same digest in
any folder, on any day.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.build._build import image, object_name
    from bpfimg.build._clang import compile_c
    from bpfimg.build._store import store

__all__ = ["compile_c", "image", "object_name", "store"]

__getattr__ = opened(
    __name__,
    {"compile_c": "_clang", "image": "_build", "object_name": "_build", "store": "_store"},
)

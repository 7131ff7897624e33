"""Image layouts as a whole: what is in one, whether it is sound, what may go, and many images into one at once.

`listing` gives what is there (`Stored`), `names` what it is called, in archives too, `measure` what nobody wrote down
about it; `is_whole` hashes one image, `fsck` everything (`Checked`, with each `Problem`); `prune` removes what nothing
names (`Pruned`); `retag` gives a second name. `Batch` writes the names of many images together, `gather` brings
signatures that are kept apart from their image.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._copying._apart import gather
    from bpfimg.oci._copying._whole import is_whole
    from bpfimg.oci._store._batch import Batch
    from bpfimg.oci._store._fsck import Checked, Problem, fsck
    from bpfimg.oci._store._prune import Pruned, prune
    from bpfimg.oci._store._retag import retag
    from bpfimg.oci._store._stored import Stored, listing, measure, names

__all__ = [
    "Batch",
    "Checked",
    "Problem",
    "Pruned",
    "Stored",
    "fsck",
    "gather",
    "is_whole",
    "listing",
    "measure",
    "names",
    "prune",
    "retag",
]

__getattr__ = opened(
    "bpfimg.oci",
    {
        "Batch": "_store._batch",
        "Checked": "_store._fsck",
        "Problem": "_store._fsck",
        "Pruned": "_store._prune",
        "Stored": "_store._stored",
        "fsck": "_store._fsck",
        "gather": "_copying._apart",
        "is_whole": "_copying._whole",
        "listing": "_store._stored",
        "measure": "_store._stored",
        "names": "_store._stored",
        "prune": "_store._prune",
        "retag": "_store._retag",
    },
)

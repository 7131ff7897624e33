"""What a room that puts many programs on one hook needs of this one: how it attaches, finds places and writes down.

A door within the door of `load`, for `dispatcher`; what that gives back is in `_chains`.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._attach import MEMBER, Attachment, Loaded, Scene
    from bpfimg.load._candidate import Candidate
    from bpfimg.load._code import Code, code_of
    from bpfimg.load._families._owner import describe
    from bpfimg.load._families._place import Place, again, at, named
    from bpfimg.load._families._recorded import recorded
    from bpfimg.load._families._tcx import tcx_link
    from bpfimg.load._families._xdp_refused import Refusal, has_none, refused_by_driver
    from bpfimg.load._home import home

__all__ = [
    "MEMBER",
    "Attachment",
    "Candidate",
    "Code",
    "Loaded",
    "Place",
    "Refusal",
    "Scene",
    "again",
    "at",
    "code_of",
    "describe",
    "has_none",
    "home",
    "named",
    "recorded",
    "refused_by_driver",
    "tcx_link",
]

__getattr__ = opened(
    "bpfimg.load",
    {
        "MEMBER": "_attach",
        "Attachment": "_attach",
        "Candidate": "_candidate",
        "Code": "_code",
        "Loaded": "_attach",
        "Place": "_families._place",
        "Refusal": "_families._xdp_refused",
        "Scene": "_attach",
        "again": "_families._place",
        "at": "_families._place",
        "code_of": "_code",
        "describe": "_families._owner",
        "has_none": "_families._xdp_refused",
        "home": "_home",
        "named": "_families._place",
        "recorded": "_families._recorded",
        "refused_by_driver": "_families._xdp_refused",
        "tcx_link": "_families._tcx",
    },
)

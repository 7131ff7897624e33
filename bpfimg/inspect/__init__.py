"""Look, do not touch: at an object, at this host.

`report` says what an object file holds, `graph` draws who calls whom in it and who uses which map, `image` says whether
an image's labels agree, `program` shows one that is in the kernel. `host` returns an `Inventory` of views: a view says
what was seen and where; it is neither what was asked for nor what was written down. `order` puts them together by hook,
in running order, and draws that; `page` makes an HTML page of a host or an image. The modules `lint` (every `Problem`,
by rules with stable numbers), `diff` (every `Change`, by whom it breaks), `check` (against kernels of which only the
types are here) and `doctor` (this host) judge; `forms` says it as CI systems take it. `tree` tells what kind of eBPF
project a folder of sources is.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.inspect import _check as check
    from bpfimg.inspect import _diff as diff
    from bpfimg.inspect import _doctor as doctor
    from bpfimg.inspect import _forms as forms
    from bpfimg.inspect import _lint as lint
    from bpfimg.inspect import _order as order
    from bpfimg.inspect import _page as page
    from bpfimg.inspect import _pulse as pulse
    from bpfimg.inspect import _tree as tree
    from bpfimg.inspect._diff_model import Change
    from bpfimg.inspect._graph import graph
    from bpfimg.inspect._image import image
    from bpfimg.inspect._kernel._host import host
    from bpfimg.inspect._kernel._program import program
    from bpfimg.inspect._kernel._views import Inventory, LinkView, MapView, ProgramView
    from bpfimg.inspect._lint_model import Problem
    from bpfimg.inspect._object import report

__all__ = [
    "Change",
    "Inventory",
    "LinkView",
    "MapView",
    "Problem",
    "ProgramView",
    "check",
    "diff",
    "doctor",
    "forms",
    "graph",
    "host",
    "image",
    "lint",
    "order",
    "page",
    "program",
    "pulse",
    "report",
    "tree",
]

__getattr__ = opened(
    __name__,
    {
        "Change": "_diff_model",
        "Inventory": "_kernel._views",
        "LinkView": "_kernel._views",
        "MapView": "_kernel._views",
        "Problem": "_lint_model",
        "ProgramView": "_kernel._views",
        "check": "_check*",
        "diff": "_diff*",
        "doctor": "_doctor*",
        "forms": "_forms*",
        "graph": "_graph",
        "host": "_kernel._host",
        "image": "_image",
        "lint": "_lint*",
        "order": "_order*",
        "page": "_page*",
        "program": "_kernel._program",
        "pulse": "_pulse*",
        "report": "_object",
        "tree": "_tree*",
    },
)

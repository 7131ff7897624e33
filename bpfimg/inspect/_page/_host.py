"""The page of a host: what runs where, in which order, by whose word; and what is wrong with it."""

from __future__ import annotations

from bpfimg.inspect._order import hooks
from bpfimg.inspect._page._chains import network
from bpfimg.inspect._page._document import About, Part, document
from bpfimg.inspect._page._holders import holders
from bpfimg.inspect._page._hooks import others
from bpfimg.inspect._page._html import tag
from bpfimg.inspect._page._index import Index
from bpfimg.inspect._page._maps import maps, types
from bpfimg.inspect._page._parts import cut
from bpfimg.inspect._page._programs import images, programs
from bpfimg.inspect._page._warnings import all_of, unseen, warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.inspect import Inventory
    from bpfimg.inspect._doctor import Finding
    from bpfimg.inspect._page._html import Content


def host(inventory: Inventory, findings: Sequence[Finding], about: About) -> str:
    """Returns the page of everything in the inventory: HTML in ASCII, the same for the same values.

    `inventory` is `inspect.host(all=True, maps=True, types=True)`, `findings` what `doctor` and others found.
    """
    index = Index(inventory)
    found = all_of(inventory, findings)
    made = f"Made by bpfimg {about.version} on {about.time}. This page has no scripts and asks nothing of anybody."
    title = f"eBPF on {cut(about.host) or 'this host'}"
    return document(title, _facts(inventory, about), _lead(found), list(_parts(index, found)), made)


def _facts(inventory: Inventory, about: About) -> Iterator[tuple[str, Content]]:
    ours = sum(view.load is not None for view in inventory.programs)
    yield "Host", cut(about.host)
    yield "Kernel", cut(about.kernel)
    yield "Seen at", tag("time", about.time, datetime=about.time)
    yield "bpfimg", about.version
    yield "Programs", f"{len(inventory.programs)}: {ours} by bpfimg, {len(inventory.programs) - ours} by others"
    yield "Maps", str(len(inventory.maps))
    yield "Links", f"{len(inventory.links)} on {len(hooks(inventory))} hooks"


def _lead(found: Sequence[Finding]) -> Content:
    counts = {word: sum(each.severity == word for each in found) for word in ("error", "warning", "note")}
    said = [f"{number} {word}{'s' * (number != 1)}" for word, number in counts.items() if number]
    return tag("p", tag("a", f"{', '.join(said)}", href="#warnings")) if said else tag("p", "Nothing is wrong.")


def _parts(index: Index, found: Sequence[Finding]) -> Iterator[Part]:
    inventory = index.inventory
    yield Part("warnings", "Warnings", warnings(found, index))
    yield Part("unseen", "What could not be seen", unseen(inventory.unseen))
    yield Part("network", "Interfaces and network namespaces", network(index))
    yield Part("hooks", "Other hooks", others(index))
    yield Part("programs", "Programs", programs(index))
    if index.images:
        yield Part("images", "Images", images(index))
    yield Part("maps", "Maps", maps(index))
    yield Part("holders", "Who holds what", holders(index))
    yield Part("btf", "BTF objects", types(index))

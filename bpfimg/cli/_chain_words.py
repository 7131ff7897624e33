"""Where a program stands in a chain, in words."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.inspect import LinkView

__all__ = ["BUILDERS", "begun", "order", "ordinal", "place"]

#: how a chain runs its programs -> what that means to whoever looks at it
BUILDERS = {
    "freplace": "freplace, each program in a slot of its own",
    "fused": "fused, one program made of all in it",
    "direct": "none, it is attached by itself while it is alone",
}


def order(view: LinkView) -> list[str]:
    """What `set` can change, and what became of it: `priority 60`, `2nd of 3`, `goes on after pass, drop`."""
    words = [f"priority {view.priority}"] if view.priority is not None else []
    if place(view):
        words.append(place(view))
    if view.proceed_on:
        results = [name for name in view.proceed_on if name != "dispatcher_return"]
        words.append(f"goes on after {', '.join(results)}" if results else "ends the chain")
    return words


def begun(view: LinkView) -> str:
    """What a person should know of a chain that this program has begun, in a sentence; "" for nothing.

    A fused chain that nobody asked for: the kernel has no other.
    """
    asked = view.record.spec.get("dispatcher", "auto") if view.record is not None else ""
    if asked != "auto" or view.builder not in ("fused", "direct") or view.members != 1:
        return ""
    seen = ", and xdp-loader sees one program, to which it cannot add" if view.hook == "xdp" else ""
    return f"no freplace programs can be loaded here: {view.target} has a fused chain{seen}"


def place(view: LinkView) -> str:
    """`2nd of 3`; without the number of all where that is not known, "" where the place is not."""
    if view.position is None:
        return ""
    number = ordinal(view.position + 1)
    return f"{number} of {view.members}" if view.members else number


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number // 10 % 10 != 1 else 0, "th")
    return f"{number}{ending}"

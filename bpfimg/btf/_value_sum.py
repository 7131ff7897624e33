"""The values of all CPUs as one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.btf._value_read import Value


def total(values: Sequence[Value]) -> Value | None:
    """Returns the sum: numbers are added, at each place of structs and arrays; what is no number stays where all
    values have the same, and is None where they differ."""
    first = values[0]
    if all(isinstance(each, dict) for each in values):
        return {name: total([each[name] for each in values]) for name in first}  # type: ignore[index,misc,union-attr]
    if all(isinstance(each, list) for each in values):
        return [total(list(each)) for each in zip(*values, strict=True)]  # type: ignore[misc]
    if all(isinstance(each, int | float) and not isinstance(each, bool) for each in values):
        return sum(values)  # type: ignore[arg-type]
    return first if all(each == first for each in values) else None

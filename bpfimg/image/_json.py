"""JSON out of a stranger's image config."""

from __future__ import annotations

from bpfimg._json import NotStrict, compact, strict_object
from bpfimg.image._limits import broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.image._limits import Limits

__all__ = ["canonical", "read_object"]


def read_object(text: str | bytes, what: str, rule: str, limits: Limits) -> dict[str, object]:
    """The JSON object that `text` spells; ImageError with `rule`, starting with `what`, for anything else."""
    try:
        return strict_object(text, limit=limits.config, depth=limits.json_depth)
    except NotStrict as error:
        raise broken(rule, f"{what} {error}") from error


def canonical(value: object) -> bytes:
    """The bytes of `value`: keys in the order they have, no white space, non-ASCII escaped (BI-32)."""
    return compact(value, ascii_only=True)

"""OCI documents and what else registries and credential files hold: strict, bounded JSON."""

from __future__ import annotations

from bpfimg._json import NotStrict, strict_object
from bpfimg._json import compact as canonical
from bpfimg.errors import ImageError
from bpfimg.oci._limits import DEFAULT

__all__ = ["canonical", "parse_object"]


def parse_object(raw: bytes, what: str, *, limit: int = DEFAULT.document) -> dict[str, object]:
    """Returns the JSON object in `raw`; ImageError, its sentence starting with `what`, for anything else."""
    try:
        return strict_object(raw, limit=limit)
    except NotStrict as error:
        raise ImageError(f"{what} {error}") from error

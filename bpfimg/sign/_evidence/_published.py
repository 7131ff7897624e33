"""Files of the public Sigstore as the installed package sigstore ships them, read without importing it.

As fresh as the package. TUF would be fresher, at the price of a network that decides whom to believe.
"""

from __future__ import annotations

_FOLDER = "_store/https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"


def published(name: str) -> bytes | None:
    """Returns the content of a file such as `trusted_root.json`; None where the package is not installed."""
    from importlib.util import find_spec

    found = find_spec("sigstore")
    for folder in (found.submodule_search_locations or ()) if found else ():
        try:
            with open(f"{folder}/{_FOLDER}/{name}", "rb") as file:
                return file.read()
        except OSError:
            continue
    return None

"""The book: what is in `docs/` and beside it, with pages made of the code, as HTML that needs no network.

`python -m scripts.book [FOLDER]` writes it, into `build/book` if nothing is said; any warning of Sphinx is a failure.
"""

from scripts.book._make import make

__all__ = ["make"]

"""A host or an image as one HTML page: values to text. No script, nothing from elsewhere, whatever names contain."""

from __future__ import annotations

from bpfimg.inspect._page._document import About
from bpfimg.inspect._page._host import host
from bpfimg.inspect._page._image import image
from bpfimg.inspect._page._subject import Belief, Stored, Subject

__all__ = ["About", "Belief", "Stored", "Subject", "host", "image"]

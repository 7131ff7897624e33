"""The same host and namespace as for the load room."""

from __future__ import annotations

from tests.kernel.load.conftest import host, ns

__all__ = ["host", "ns"]

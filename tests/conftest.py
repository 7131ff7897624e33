"""One profile of hypothesis for all tests: the same examples everywhere, nothing kept on disk."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("bpfimg", derandomize=True, database=None, deadline=None)
settings.load_profile("bpfimg")

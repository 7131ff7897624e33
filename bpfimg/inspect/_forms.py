"""The forms in which CI systems take results: JUnit's XML, GitHub's annotations, GitLab's code quality report.

Values in, text out: the same for what `lint`, `diff` and `check` have to say.
"""

from __future__ import annotations

from bpfimg.inspect._annotations import LEVELS, SHOWN, Annotation, quality, remarks
from bpfimg.inspect._junit import Case, junit

__all__ = ["LEVELS", "SHOWN", "Annotation", "Case", "junit", "quality", "remarks"]

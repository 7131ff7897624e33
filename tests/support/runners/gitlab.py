"""A runner of one GitLab job on this machine: rules, variables, inputs of components, scripts, artifacts, dotenv.

Sources: GitLab's "CI/CD YAML syntax reference", "CI/CD inputs", "Predefined variables".
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_INPUT = re.compile(r"\$\[\[\s*inputs\.([\w-]+)\s*\]\]")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_RULE = re.compile(r"\$(\w+)(?:\s*==\s*(?:\"([^\"]*)\"|\$(\w+)))?")
_PATIENCE = 300


@dataclass(frozen=True, slots=True)
class Job:
    """What became of a job. `artifacts` are files by path, `reports` those that GitLab reads, by kind."""

    failed: bool
    log: str
    artifacts: dict[str, bytes]
    reports: dict[str, dict[str, bytes]]

    @property
    def dotenv(self) -> dict[str, str]:
        """The variables that later jobs get; GitLab takes NAME=VALUE lines alone."""
        lines = b"".join(self.reports.get("dotenv", {}).values()).decode().splitlines()
        for line in lines:
            assert re.fullmatch(r"[A-Za-z_]\w*=.*", line), f"GitLab refuses the dotenv report for {line!r}"
        return dict(line.split("=", 1) for line in lines)


@dataclass(slots=True)
class Runner:
    """Runs jobs of a pipeline. `variables` are those that GitLab sets; `token` makes an identity token for an audience,
    None where the project may have none; `secrets` may be in no log."""

    folder: Path
    source: Path
    variables: dict[str, str]
    token: Callable[[str], str] | None = None
    environ: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()

    @property
    def project(self) -> Path:
        return self.folder / "builds"

    def run(self, path: Path, inputs: Mapping[str, str] | None = None) -> Job | None:
        """Runs the one job of a file; None where its rules leave it out of this pipeline."""
        documents = list(yaml.safe_load_all(path.read_text()))
        if len(documents) == 2:
            document = interpolated(documents[1], _inputs(documents[0], inputs or {}))
        else:
            (document,) = documents
        (job,) = document.values()
        if not any(self._holds(rule["if"]) for rule in job.get("rules", [{"if": "$CI"}])):
            return None
        shutil.copytree(self.source, self.project)
        log, failed = self._script(job)
        artifacts = job.get("artifacts", {})
        if failed and artifacts.get("when") not in ("always", "on_failure"):
            artifacts = {}
        kept = self._files(artifacts.get("paths", []))
        reports = {kind: self._files([one]) for kind, one in artifacts.get("reports", {}).items()}
        return Job(failed, log, kept, reports)

    def _holds(self, rule: str) -> bool:
        found = _RULE.fullmatch(rule.strip())
        assert found is not None, f"{rule!r} is beyond this runner"
        value = self.variables.get(found[1], "")
        if found[3]:
            return value == self.variables.get(found[3], "")
        return value == found[2] if found[2] is not None else bool(value)

    def _script(self, job: Mapping[str, Any]) -> tuple[str, bool]:
        environ = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "CI": "true",
            "GITLAB_CI": "true",
            "CI_PROJECT_DIR": str(self.project),
            **self.variables,
            **self.environ,
        }
        (self.folder / "tmp").mkdir()
        for name, asked in job.get("id_tokens", {}).items():
            if self.token is not None:
                environ[name] = self.token(asked["aud"])
        own = {name: str(text) for name, text in job.get("variables", {}).items()}
        # variables of the project and of the pipeline come before those of the job
        environ |= {name: _expanded(text, environ) for name, text in own.items() if name not in self.environ}
        # all entries are one script, with no input; the first that fails ends it
        lines = "\n".join(map(str, [*job.get("before_script", []), *job["script"]]))
        script = f"set -e\n: | eval {_quoted(lines)}\n"
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=self.project,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        for secret in self.secrets:
            assert secret not in done.stdout, "a secret is in the log"
        return done.stdout, done.returncode != 0

    def _files(self, patterns: list[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for pattern in patterns:
            for one in glob.glob(str(self.project / pattern)):
                inner = [one] if os.path.isfile(one) else glob.glob(f"{one}/**", recursive=True)
                found |= {
                    os.path.relpath(file, self.project): Path(file).read_bytes()
                    for file in inner
                    if os.path.isfile(file)
                }
        return found


def _inputs(head: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    specified = head["spec"]["inputs"]
    assert given.keys() <= specified.keys()
    found = {}
    for name, each in specified.items():
        found[name] = given.get(name, each.get("default"))
        assert found[name] is not None, f"the input {name} is not given"
        assert found[name] in each.get("options", [found[name]]), f"{found[name]!r} is no option of {name}"
    return found


def interpolated(node: Any, inputs: Mapping[str, str]) -> Any:
    """A component's document with its inputs: each text by itself, so that none can become structure."""
    if isinstance(node, dict):
        return {interpolated(key, inputs): interpolated(value, inputs) for key, value in node.items()}
    if isinstance(node, list):
        return [interpolated(each, inputs) for each in node]
    return _INPUT.sub(lambda found: str(inputs[found[1]]), node) if isinstance(node, str) else node


def _expanded(text: str, environ: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: environ.get(found[1] or found[2], ""), text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"

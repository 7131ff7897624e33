"""A runner of GitHub's workflows (one job) and composite actions, on this machine."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.runners.expressions import evaluate, filled
from tests.support.runners.log import Read, read

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[3]
#: how each `shell:` is started ("Workflow syntax", jobs.<job_id>.steps[*].shell); "" is what a step without one gets
_SHELLS = {
    "": ["bash", "-e"],
    "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
    "sh": ["sh", "-e"],
}
_PATIENCE = 300


@dataclass(slots=True)
class Step:
    """What became of a step: its conclusion is success, failure or skipped."""

    name: str
    conclusion: str
    log: str = ""
    read: Read = field(default_factory=Read)
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Job:
    """What became of a job. `uploads` are what actions that keep files were given: action -> files."""

    steps: list[Step]
    summary: str
    uploads: dict[str, dict[str, bytes]]
    outputs: dict[str, str]

    @property
    def failed(self) -> bool:
        return any(step.conclusion == "failure" for step in self.steps)

    @property
    def log(self) -> str:
        return "".join(step.log for step in self.steps)

    @property
    def annotations(self) -> list[Any]:
        return [each for step in self.steps for each in step.read.annotations]


@dataclass(slots=True)
class Runner:
    """Runs jobs for a push or a pull request. `environ` comes beside what GitHub sets; `secrets` may be in no log.
    `installed` is whether bpfimg is on the machine already; `identity` is what a job gets that may ask for a token."""

    folder: Path
    source: Path
    github: dict[str, str]
    environ: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    identity: dict[str, str] = field(default_factory=dict)
    fork: bool = False
    installed: bool = True
    _environ: dict[str, str] = field(default_factory=dict)
    _paths: list[str] = field(default_factory=list)
    _set: dict[str, str] = field(default_factory=dict)
    _steps: dict[str, Any] = field(default_factory=dict)
    _uploads: dict[str, dict[str, bytes]] = field(default_factory=dict)
    _summary: str = ""
    _failed: bool = False
    _number: int = 0

    @property
    def workspace(self) -> Path:
        return self.folder / "work"

    def workflow(self, path: Path) -> Job:
        """Runs the one job of a workflow."""
        document = yaml.safe_load(path.read_text())
        assert self.triggered(document[True]), f"{path.name} does not run for {self.github['event_name']}"
        (job,) = document["jobs"].values()
        self._begin(job.get("permissions", document.get("permissions", {})))
        environ = {name: filled(text, self._contexts()) for name, text in job.get("env", {}).items()}
        done = [step for each in job["steps"] for step in self._step(each, environ)]
        return Job(done, self._summary, self._uploads, {})

    def triggered(self, on: Any) -> bool:
        """Whether the workflow's `on` names this event and, of a push, this ref."""
        event = self.github["event_name"]
        if event not in on:
            return False
        asked = on[event] or {}
        kind = "tags" if self.github["ref_type"] == "tag" else "branches"
        return event != "push" or any(fnmatch(self.github["ref_name"], one) for one in asked.get(kind, ()))

    def action(self, path: Path, given: Mapping[str, str], permissions: Mapping[str, str]) -> Job:
        """Checks out, and runs the composite action in the folder `path` with these inputs, as a job would."""
        self._begin(permissions)
        checkout = self._step({"uses": "actions/checkout@" + "0" * 40}, {})
        steps, outputs = self._composite(path, given)
        return Job([*checkout, *steps], self._summary, self._uploads, outputs)

    # ------------------------------------------------------------------------------------------------------------------

    def _begin(self, permissions: Mapping[str, str]) -> None:
        self.workspace.mkdir(parents=True)
        (self.folder / "temp").mkdir()
        self._environ = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.folder / "home"),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "RUNNER_OS": "Linux",
            "RUNNER_ENVIRONMENT": "github-hosted",
            **{f"GITHUB_{name.upper()}": text for name, text in self.github.items() if name != "token"},
            **self.environ,
        }
        self._paths = [str(Path(sys.executable).parent)] if self.installed else []
        # "id-token: write" is what lets a job ask; a pull request of a fork is never given it
        if permissions.get("id-token") == "write" and not self.fork:
            self._environ |= self.identity

    def _contexts(self, **more: Any) -> dict[str, Any]:
        runner = {"temp": str(self.folder / "temp"), "os": "Linux"}
        return {"github": self.github, "runner": runner, "steps": self._steps, **more}

    def _composite(self, path: Path, given: Mapping[str, str]) -> tuple[list[Step], dict[str, str]]:
        document = yaml.safe_load((path / "action.yml").read_text())
        assert given.keys() <= document["inputs"].keys()
        inputs = {
            name: given[name] if name in given else filled(each.get("default", ""), self._contexts())
            for name, each in document["inputs"].items()
        }
        self._steps = {}
        here = {"GITHUB_ACTION_PATH": str(path)}
        done = [step for each in document["runs"]["steps"] for step in self._step(each, here, inputs=inputs)]
        outputs = {name: filled(each["value"], self._contexts()) for name, each in document["outputs"].items()}
        return done, outputs

    def _step(self, step: Mapping[str, Any], environ: Mapping[str, str], **contexts: Any) -> list[Step]:
        name = str(step.get("name", step.get("uses", "")))
        functions = {
            "always": lambda: True,
            "success": lambda: not self._failed,
            "failure": lambda: self._failed,
            "hashFiles": lambda *patterns: "".join(file for one in patterns for file in self._matching(one)),
        }
        condition = str(step.get("if", "success()"))
        if not re.search(r"\b(always|failure|success)\(", condition):
            condition = f"success() && ({condition})"
        if not evaluate(condition, self._contexts(**contexts), functions):
            return [Step(name, "skipped")]
        own = {
            **environ,
            **{key: filled(text, self._contexts(**contexts)) for key, text in step.get("env", {}).items()},
        }
        done = self._used(step, name, contexts) if "uses" in step else self._ran(step, name, own)
        if step.get("continue-on-error") is True and done.conclusion == "failure":
            done.conclusion = "success"
        self._failed = self._failed or done.conclusion == "failure"
        if "id" in step:
            self._steps[step["id"]] = {"outputs": done.outputs, "conclusion": done.conclusion}
        return [done]

    def _ran(self, step: Mapping[str, Any], name: str, environ: Mapping[str, str]) -> Step:
        assert "${{" not in step["run"], f"{name}: what is put into a script by text can be a command"
        self._number += 1
        script = self.folder / "temp" / f"step-{self._number}.sh"
        script.write_text(step["run"])
        files = {
            word: self.folder / "temp" / f"{word}-{self._number}" for word in ("output", "env", "path", "step_summary")
        }
        for file in files.values():
            file.touch()
        folder = self.workspace / step.get("working-directory", ".")
        done = subprocess.run(
            [*_SHELLS[step.get("shell", "")], str(script)],
            cwd=folder,
            env={
                **self._environ,
                **self._set,
                **environ,
                "PATH": ":".join([*reversed(self._paths), self._environ["PATH"]]),
                **{f"GITHUB_{word.upper()}": str(file) for word, file in files.items()},
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        for secret in self.secrets:
            assert secret not in done.stdout, f"{name}: a secret is in the log"
        self._paths += files["path"].read_text().splitlines()
        self._set |= _pairs(files["env"].read_text())
        summary = files["step_summary"].read_text()
        self._summary += summary if len(summary.encode()) <= 1 << 20 else "$GITHUB_STEP_SUMMARY upload aborted"
        conclusion = "failure" if done.returncode else "success"
        return Step(name, conclusion, done.stdout, read(done.stdout), _pairs(files["output"].read_text()))

    def _used(self, step: Mapping[str, Any], name: str, contexts: Mapping[str, Any]) -> Step:
        action, _, version = step["uses"].partition("@")
        assert re.fullmatch("[0-9a-f]{40}", version), f"{step['uses']} is not pinned by its commit"
        given = {key: filled(text, self._contexts(**contexts)) for key, text in step.get("with", {}).items()}
        if action == "actions/checkout":
            shutil.copytree(self.source, self.workspace, dirs_exist_ok=True)
            return Step(name, "success")
        path = given.get("path", given.get("sarif_file", ""))
        files = {
            os.path.relpath(file, self.workspace): Path(file).read_bytes()
            for one in self._matching(path)
            for file in ([one] if os.path.isfile(one) else glob.glob(f"{one}/**", recursive=True))
            if os.path.isfile(file)
        }
        self._uploads.setdefault(action, {}).update(files)
        return Step(name, "success" if files else "failure")

    def _matching(self, pattern: str) -> list[str]:
        return sorted(glob.glob(str(self.workspace / pattern)))


def _pairs(text: str) -> dict[str, str]:
    """A file of outputs or variables: NAME=VALUE, or NAME<<END with lines up to END."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, many, end = line.partition("<<")
        if many and "=" not in name:
            inner = []
            for each in lines:
                if each == end:
                    break
                inner.append(each)
            found[name] = "\n".join(inner)
        else:
            name, equals, value = line.partition("=")
            assert equals, f"{line!r} is neither NAME=VALUE nor NAME<<END"
            found[name] = value
    return found

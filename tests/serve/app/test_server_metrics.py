"""Figures for Prometheus are those of what happened, and nobody can add labels without end."""

from prometheus_client.parser import text_string_to_metric_families
from served import Served


def figures(server: Served) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = server.client.get("/metrics").text
    families = text_string_to_metric_families(text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def test_calls_and_answers_are_counted(own: Served) -> None:
    for _ in range(3):
        own.ask(user=own.user())
    own.ok("GET", "/v1/items/nowhere", status=404)
    found = figures(own)
    labels = (("method", "POST"), ("route", "/v1/recommend"), ("status", "200"))
    assert found["mmsrarec_requests_total", labels] == 3
    assert found["mmsrarec_request_seconds_count", (("route", "/v1/recommend"),)] == 3
    assert found["mmsrarec_answers_total", (("cached", "true"), ("origin", "warm"))] == 2
    assert (found["mmsrarec_cache_hits_total", ()], found["mmsrarec_cache_misses_total", ()]) == (2, 1)
    assert found["mmsrarec_ready", ()] == 1
    assert found["mmsrarec_queue_waiting", ()] == 0


def test_paths_and_methods_are_no_labels(own: Served) -> None:
    before = len(figures(own))
    for number in range(5):
        own.client.request(f"M{number}", f"/nowhere/{number}")
        own.client.get(f"/v1/items/{number}")
    labels = [name for name in figures(own) if name[0] == "mmsrarec_requests_total"]
    assert len(labels) <= 4
    assert len(figures(own)) <= before + 60

"""Figures for Prometheus: calls by route, how long they took, and how the worker and the caches fare."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mmsrarec.serve.service import Service

SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds of the times of calls."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The figures of one server.

    Attributes:
        registry: What is collected.
    """

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        names = ("method", "route", "status")
        self.calls = Counter("mmsrarec_requests", "Calls", names, registry=self.registry)
        self.seconds = Histogram(
            "mmsrarec_request_seconds", "Seconds of a call", ("route",), buckets=SECONDS, registry=self.registry
        )
        self.answers = Counter("mmsrarec_answers", "Recommendations", ("origin", "cached"), registry=self.registry)
        self.registry.register(_OfService(service))

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a call; methods that HTTP does not know are one, so that nobody can add labels without end."""
        self.calls.labels(method if method in METHODS else "other", route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """In the format of Prometheus."""
        return generate_latest(self.registry)


class _OfService(Collector):
    """Figures that are read off the service when they are asked for."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def collect(self) -> Iterator[Metric]:
        """The figures."""
        service = self.service
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "mmsrarec_ready": ("Whether questions are answered", lambda: float(service.why_not_ready() is None)),
            "mmsrarec_queue_waiting": ("Questions that wait for the model", lambda: service.model.waiting),
            "mmsrarec_state_waiting": ("Reads and writes that wait", lambda: service.state.worker.waiting),
            "mmsrarec_cached_answers": ("Answers in memory", lambda: len(service.cache)),
        }
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(name, text, value())
        counters: dict[str, tuple[str, Callable[[], float]]] = {
            "mmsrarec_cache_hits": ("Answers found in memory", lambda: service.cache.hits),
            "mmsrarec_cache_misses": ("Answers not found in memory", lambda: service.cache.misses),
            "mmsrarec_model_batches": ("Batches of the model", lambda: service.model.batches),
            "mmsrarec_model_questions": ("Questions to the model", lambda: service.model.questions),
        }
        for name, (text, value) in counters.items():
            yield CounterMetricFamily(name, text, value())

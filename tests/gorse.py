"""Gorse as this server meets it: its reranker's client, its external recommenders, and when it uses them.

Written after Gorse 0.5.9 (logics/chat.go, common/reranker/client.go, logics/external.go, worker/pipeline.go). It keeps
what matters to a server: the bytes of a call, what an answer must hold, what follows from an error.
"""

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import jinja2


class GorseError(Exception):
    """What Gorse writes into its log; the user's list is then left as it was."""


@dataclass(frozen=True)
class Item:
    """An item as the templates see it."""

    ItemId: str
    Comment: str = ""


@dataclass(frozen=True)
class User:
    UserId: str
    Comment: str = ""


@dataclass(frozen=True)
class Feedback:
    FeedbackType: str
    ItemId: str
    Timestamp: int


@dataclass
class Gorse:
    """A worker of Gorse.

    Attributes:
        config: Its configuration, parsed.
        calls: The reranker's requests so far, as they were sent.
    """

    config: dict[str, Any]
    calls: list[dict[str, Any]] = field(default_factory=list)

    def rank(self, user: User, feedback: list[Feedback], candidates: list[Item]) -> list[tuple[str, float]]:
        """The candidates with their scores, the best first; without scores, in their order, where nothing ranks."""
        ranker, openai = self.config["recommend"]["ranker"], self.config.get("openai", {})
        if ranker.get("type", "none") != "llm" or not openai.get("chat_completion_model", ""):
            return [(item.ItemId, 0.0) for item in candidates]
        if openai.get("chat_completion_rpm", 0) < 1:
            raise TimeoutError("the worker waits for a place among no places")
        positive = self.config["recommend"]["data_source"]["positive_feedback_types"]
        latest = sorted(feedback, key=lambda one: -one.Timestamp)
        chosen = [one for one in latest if one.FeedbackType in positive]
        context = [Item(one.ItemId) for one in chosen[: self.config["recommend"].get("context_size", 100)]]
        query = template(ranker["query_template"]).render(user=user, feedback=context)
        document = template(ranker["document_template"])
        api = ranker["reranker_api"]
        body = {"model": api["model"], "query": query, "documents": [document.render(item=item) for item in candidates]}
        answer = self._rerank(api, body)
        scores = [(candidates[one["index"]].ItemId, float(one["relevance_score"])) for one in answer["results"]]
        return sorted(scores, key=lambda pair: -pair[1])  # its cache reads by score

    def _rerank(self, api: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(body)
        headers = {"Authorization": f"Bearer {api.get('auth_token', '')}", "Content-Type": "application/json"}
        status, text = send("POST", api["url"], headers, go_json(body))
        if status != 200:
            raise GorseError(f"rerank request failed with status: {status}, body: {text}")
        answer = json.loads(text)
        typed(answer, {"model": str, "usage": dict, "results": list})
        typed(answer["usage"], {"total_tokens": int})
        for result in answer["results"]:
            typed(result, {"index": int, "relevance_score": float})
            assert 0 <= result["index"] < len(body["documents"]), "Gorse would panic"
        return answer

    def external(self, name: str, user_id: str) -> list[str]:
        """The item ids that the script of an external recommender gives, run by QuickJS as in Gorse."""
        import dukpy

        script = next(one["script"] for one in self.config["recommend"]["external"] if one["name"] == name)
        engine = dukpy.JSInterpreter()
        engine.export_function("fetch", fetch)
        engine.evaljs("function fetch(url, request) { return call_python('fetch', url, request || {}); }")
        engine.evaljs(f"var user_id = {json.dumps(user_id)};")
        try:
            result = engine.evaljs(script)
        except dukpy.JSRuntimeError as error:
            raise GorseError(str(error)) from None
        items = json.loads(result) if isinstance(result, str) else result
        if not isinstance(items, list) or not all(isinstance(one, str) for one in items):
            raise GorseError("json: cannot unmarshal into []string")
        return items

    def check(self) -> None:
        """Refuse recommenders that are not there, as Gorse does when it starts."""
        recommend = self.config["recommend"]
        there = {"latest", *(f"external/{one['name']}" for one in recommend["external"])}
        for name in (*recommend["ranker"]["recommenders"], *recommend["fallback"]["recommenders"]):
            if name not in there:
                raise GorseError(f"recommender {name} doesn't exist")


def template(text: str) -> jinja2.Template:
    """A template of gonja 2.7, whose `reverse` sorts a list before it turns it, by a text that nobody foresees."""
    environment = jinja2.Environment(undefined=jinja2.ChainableUndefined)
    environment.filters["reverse"] = lambda values: sorted(values, key=repr, reverse=True)
    return environment.from_string(text)


def go_json(value: Any) -> bytes:
    """JSON as Go writes it: no blanks, and <, > and & escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text.encode()


def typed(value: dict[str, Any], kinds: dict[str, type]) -> None:
    """Go reads an absent field as nothing; here it is an error, as a field of another kind is in Go."""
    for name, kind in kinds.items():
        if type(value.get(name)) is not kind:
            raise GorseError(f"json: cannot unmarshal {value.get(name)!r} into {name} of type {kind.__name__}")


def send(method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    """One call by a connection of its own; no time-out, no second try and no other address."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    try:
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, path, body, {"User-Agent": "Go-http-client/1.1", **headers})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def fetch(url: str, request: dict[str, Any]) -> dict[str, Any]:
    """Gorse's fetch: it returns at once, and the body is a text."""
    body = str(request.get("body", "")).encode()
    status, text = send(request.get("method", "GET"), request.get("url", url), request.get("headers", {}), body)
    return {"ok": 200 <= status < 300, "status": status, "statusText": str(status), "body": text}

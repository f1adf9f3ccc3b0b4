"""The calls of the server.

Made from the server's OpenAPI description by scripts/client_from_openapi.py; changes here are lost.
"""

from typing import Any

from mmsrarec_client.answer_types import (
    Document,
    ErasureAnswered,
    EventAsked,
    EventsAnswered,
    ItemAnswered,
    ItemsAnswered,
    RecommendAnswered,
    RerankAnswered,
    RunAnswered,
    SimilarAnswered,
    UserAnswered,
    UserKeywords,
)
from mmsrarec_client.http_calls import Calls, in_path, with_keys


class Client(Calls):
    """A server's calls, each a method. What is None is not sent, and the server's own default holds."""

    def recommend(
        self,
        *,
        user: str | int | None = None,
        history: list[str | int] | None = None,
        k: int | None = None,
        among: list[str | int] | None = None,
        exclude: list[str | int] | None = None,
        categories: list[str] | None = None,
        exclude_categories: list[str] | None = None,
        more: list[str] | None = None,
        less: list[str] | None = None,
        allow_seen: bool | None = None,
        reasons: bool | None = None,
        pinned: list[str | int] | None = None,
        boosts: dict[str, float] | None = None,
        max_per_category: int | None = None,
        one_per_product: bool | None = None,
    ) -> RecommendAnswered:
        """The best items for a user or a history. `origin` says how the answer came about.

        Args:
            user: A user id; with `history`, what the user did just now.
            history: Item ids, oldest first; unknown ones are skipped and listed.
            k: How many items; fewer come where fewer are left.
            among: Only these items.
            exclude: Not these items.
            categories: Only items of one of these categories.
            exclude_categories: No items of these categories.
            more: Keywords that are asked for.
            less: Keywords that are to be spared.
            allow_seen: Whether items that they had may come again; as the run was evaluated unless given.
            reasons: Whether to measure what carried each item, which takes longer.
            pinned: Items that stand first.
            boosts: Log-odds that items gain or lose, in [-5, 5].
            max_per_category: Items of one category, at most; an item counts by its first one.
            one_per_product: Whether variants of one product count as one item.
        """
        return self._call(
            "POST",
            "/v1/recommend",
            repeatable=True,
            body={
                "user": user,
                "history": history,
                "k": k,
                "among": among,
                "exclude": exclude,
                "categories": categories,
                "exclude_categories": exclude_categories,
                "more": more,
                "less": less,
                "allow_seen": allow_seen,
                "reasons": reasons,
                "pinned": pinned,
                "boosts": boosts,
                "max_per_category": max_per_category,
                "one_per_product": one_per_product,
            },
        )

    def rerank(
        self,
        query: str | list[str | int],
        documents: list[str | Document],
        *,
        model: str | None = None,
        top_n: int | None = None,
        return_documents: bool | None = None,
        newest_first: bool | None = None,
    ) -> RerankAnswered:
        """Documents by relevance, in the shape of Jina and Cohere.

        Args:
            query: A user id; or item ids, oldest first, as a list or as text parted by commas, blanks or lines; or any
                other text, whose words are looked for.
            documents: Texts, or objects with an id of an item or a text.
            model: Repeated in the answer, and otherwise without effect.
            top_n: How many results; 0 or none: all.
            return_documents: Whether results repeat the texts.
            newest_first: Whether the item ids of the query stand newest first, for clients that cannot turn them.
        """
        return self._call(
            "POST",
            "/v1/rerank",
            repeatable=True,
            query={"newest_first": newest_first},
            body={
                "query": query,
                "documents": documents,
                "model": model,
                "top_n": top_n,
                "return_documents": return_documents,
            },
        )

    def similar(self, items: list[str | int], *, k: int | None = None) -> SimilarAnswered:
        """The items nearest to each of some items.

        Args:
            items: Item ids.
            k: How many near items of each.
        """
        return self._call("POST", "/v1/similar", repeatable=True, body={"items": items, "k": k})

    def events(self, events: list[EventAsked]) -> EventsAnswered:
        """Keep one event or several; answered once they are on the disk. A key that was there before counts once.

        Args:
            events: What users did.
        """
        return self._call("POST", "/v1/events", repeatable=True, body={"events": with_keys(events)})

    def items(
        self, *, q: str | None = None, category: str | None = None, offset: int | None = None, limit: int | None = None
    ) -> ItemsAnswered:
        """A part of the catalogue, the items that are chosen most often first.

        Args:
            q: Words that title, keywords or categories hold.
            category: Only items of this category.
            offset: Items to leave out first.
            limit: How many items.
        """
        return self._call(
            "GET", "/v1/items", repeatable=True, query={"q": q, "category": category, "offset": offset, "limit": limit}
        )

    def item(self, item_id: str) -> ItemAnswered:
        """One item.

        Args:
            item_id: The item.
        """
        return self._call("GET", f"/v1/items/{in_path(item_id)}", repeatable=True)

    def put_item(
        self,
        item_id: str,
        *,
        title: str | None = None,
        text: str | None = None,
        categories: list[str] | None = None,
        picture: bytes | None = None,
        in_stock: bool | None = None,
    ) -> ItemAnswered:
        """Write an item: it is read and recommendable at once. A picture comes as bytes; no address is ever fetched.

        Args:
            item_id: The item.
            title: Its name for shoppers.
            text: What is said of it.
            categories: From the widest to the narrowest.
            picture: The file of a picture, which JSON holds in base64; never an address.
            in_stock: Whether it may be recommended now.
        """
        return self._call(
            "PUT",
            f"/v1/items/{in_path(item_id)}",
            repeatable=True,
            body={"title": title, "text": text, "categories": categories, "picture": picture, "in_stock": in_stock},
        )

    def patch_item(self, item_id: str, in_stock: bool) -> ItemAnswered:
        """Put an item in stock or out of it.

        Args:
            item_id: The item.
            in_stock: Whether it may be recommended now.
        """
        return self._call("PATCH", f"/v1/items/{in_path(item_id)}", repeatable=True, body={"in_stock": in_stock})

    def delete_item(self, item_id: str) -> None:
        """Delete an item.

        Args:
            item_id: The item.
        """
        self._call("DELETE", f"/v1/items/{in_path(item_id)}", repeatable=False)

    def set_keywords(
        self, user_id: str, *, more: list[str] | None = None, less: list[str] | None = None
    ) -> UserKeywords:
        """Keywords that stay with a user.

        Args:
            user_id: The user.
            more: Keywords that are asked for.
            less: Keywords that are to be spared.
        """
        return self._call(
            "PUT", f"/v1/users/{in_path(user_id)}/keywords", repeatable=True, body={"more": more, "less": less}
        )

    def user(self, user_id: str) -> UserAnswered:
        """What the server knows of a user.

        Args:
            user_id: The user.
        """
        return self._call("GET", f"/v1/users/{in_path(user_id)}", repeatable=True)

    def erase_user(self, user_id: str) -> ErasureAnswered:
        """Erase a user from the state and from the files of the run; what was trained with them stays.

        Args:
            user_id: The user.
        """
        return self._call("DELETE", f"/v1/users/{in_path(user_id)}", repeatable=False)

    def run(self) -> RunAnswered:
        """The run that answers."""
        return self._call("GET", "/v1/run", repeatable=True)

    def activate(self, name: str) -> RunAnswered:
        """Let another run take over, without a restart; 404 where no run of this name lies beside the first one.

        Args:
            name: A folder beside the one that the server was started with; the example stands for yours.
        """
        return self._call("POST", "/v1/run", repeatable=False, body={"name": name})

    def roll_back(self) -> RunAnswered:
        """Have the run of before back."""
        return self._call("POST", "/v1/run/previous", repeatable=False)

    def live(self) -> dict[str, str]:
        """The process answers."""
        return self._call("GET", "/health/live", repeatable=True)

    def ready(self) -> Any:
        """Whether questions are answered: a run is loaded, its workers live, and the server is not being stopped.

        `language_model` is "loaded"; "loading" where the run ranks without it, so that some reasons wait; or
        "none" where the run has none.
        """
        return self._call("GET", "/health/ready", repeatable=True)

    def metrics(self) -> Any:
        """Figures for Prometheus."""
        return self._call("GET", "/metrics", repeatable=True)

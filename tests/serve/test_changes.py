"""Items that came while a server ran: their pictures lie in the database, survive a restart, and take no memory."""

import io
import shutil
from base64 import b64encode
from pathlib import Path

import numpy as np
from PIL import Image
from served import Served, served


def picture(number: int) -> str:
    pixels = np.random.default_rng(number).integers(0, 255, (120, 90, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return b64encode(out.getvalue()).decode()


def shown(server: Served, item_id: str) -> bytes:
    response = server.client.get("/picture", params={"id": item_id})
    assert response.headers["content-type"] == "image/webp"
    return response.content


def test_pictures_are_not_held_and_survive_a_restart(finished: Path, tmp_path: Path) -> None:
    names = [f"new-{number}" for number in range(4)]
    with served(finished / "run", tmp_path / "s.sqlite") as server:
        for number, name in enumerate(names):
            answer = server.ok("PUT", f"/v1/items/{name}", {"title": "A mug", "picture": picture(number)})
            assert answer["has_picture"]
        rows = server.service.run().rows.values()
        assert [row.item.item_id for row in rows] == names
        assert all(row.has_picture and row.picture is None and row.feature is None for row in rows)
        before = [shown(server, name) for name in names]
        assert len(set(before)) == len(names)
        scores = server.ask(user=server.user(), among=names)["items"]
    with served(finished / "run", tmp_path / "s.sqlite") as server:
        assert [shown(server, name) for name in names] == before
        assert server.ask(user=server.user(), among=names)["items"] == scores


def test_stock_changes_nothing_else_of_an_item(own: Served) -> None:
    own.ok("PUT", "/v1/items/x", {"title": "A mug", "text": "of clay", "picture": picture(0)})
    before, image = own.ok("GET", "/v1/items/x"), shown(own, "x")
    assert own.ok("PATCH", "/v1/items/x", {"in_stock": False}) == before | {"in_stock": False, "recommendable": False}
    assert shown(own, "x") == image
    scored = own.ok("PATCH", "/v1/items/x", {"in_stock": True})
    assert scored == before


def test_a_run_that_comes_back_has_the_items_of_now(mine: Path) -> None:
    shutil.copytree(mine / "run", mine / "second")
    with served(mine / "run", mine / "s.sqlite") as server:
        server.ok("PUT", "/v1/items/x", {"title": "A mug", "picture": picture(0)})
        server.ok("POST", "/v1/run", {"name": "second"})
        server.ok("PUT", "/v1/items/y", {"title": "A jug", "picture": picture(1)})
        server.ok("PATCH", "/v1/items/x", {"in_stock": False})
        expected = [server.ok("GET", f"/v1/items/{name}") for name in ("x", "y")]
        best = server.ask(user=server.user(), among=["y"])["items"]
        assert server.ok("POST", "/v1/run/previous")["run"] == "run"
        assert [server.ok("GET", f"/v1/items/{name}") for name in ("x", "y")] == expected
        assert server.ask(user=server.user(), among=["y"])["items"] == best
        assert shown(server, "y")

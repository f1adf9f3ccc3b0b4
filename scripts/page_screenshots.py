"""Takes pictures of the page of a run in a headless Chromium.

    python scripts/page_screenshots.py --run runs/demo                  # those of the documentation, into docs/
    python scripts/page_screenshots.py --run runs/demo --all pictures   # every page, at two widths, light and dark

The run should be that of `make demo`: its catalogue is drawn, so that its pictures may be published. It needs
Playwright, Chromium, and the extra `serve`.
"""

import argparse
import contextlib
import io
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvicorn
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from mmsrarec.serve.app.application import create_app
from mmsrarec.serve.settings import ServeSettings

DOCS = Path(__file__).parents[1] / "docs"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
MAX_BYTES = 150_000
QUALITIES = (88, 80, 70, 60)
SETTLED = "() => Promise.all(document.getAnimations().map(one => one.finished.catch(() => 0)))"


@dataclass(frozen=True)
class Shot:
    """A picture of the documentation.

    Attributes:
        name: Of the file.
        page: Of `addresses`.
        size: Of `SIZES`.
        scheme: "light" or "dark".
    """

    name: str
    page: str
    size: str
    scheme: str


OF_DOCS = (
    Shot("page-for-you", "liked", "desktop", "light"),
    Shot("page-compare", "compare", "desktop", "dark"),
    Shot("page-item-phone", "item", "phone", "light"),
)


@contextlib.contextmanager
def served(run: Path) -> Iterator[tuple[str, Any]]:
    """The address of a server that is ready, and the run."""
    with tempfile.TemporaryDirectory(prefix="mmsrarec-page-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        app = create_app(ServeSettings(run, f"{folder}/state.sqlite", port=port), wait=True)
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.05)
        try:
            yield f"http://127.0.0.1:{port}", app.state.service.run()
        finally:
            server.should_exit = True
            thread.join()


def addresses(served_run: Any) -> dict[str, str]:
    """The pages by name: what somebody new sees, what they see after some steps, and where there is nothing to show."""
    dataset = served_run.recommender.dataset
    popular = [dataset.items[code].item_id for code in served_run.most_chosen_first]
    pictured = [item.item_id for item in dataset.items if item.image is not None]
    plain = [item.item_id for item in dataset.items if item.image is None]
    liked = [item_id for item_id in popular if item_id in pictured][:3]
    word = next(iter(served_run.keyword_sets[dataset.item_code[liked[0]]]))
    user = dataset.user_ids[0]

    def page(path: str, **query: Any) -> str:
        return f"{path}?{urlencode(query, doseq=True)}"

    return {
        "start": "/",
        "liked": page("/", like=liked[:2], act=f"like:{liked[2]}"),
        "struck": page("/", like=liked, less=[word], hide=[popular[5]]),
        "shopper": page("/", user=user),
        "search": page("/", q=dataset.items[0].title.split()[-1]),
        "nothing-found": page("/", q="no such thing"),
        "item": page("/item", id=pictured[0], like=liked, audience="true"),
        "item-without-picture": page("/item", id=plain[0] if plain else pictured[1]),
        "compare": page("/compare", user=user),
        "compare-nobody": "/compare",
        "shoppers": "/shoppers",
        "no-shoppers": page("/shoppers", q="no such shopper"),
        "run": "/run",
        "problem": page("/item", id="no-such-item"),
    }


def picture(browser: Any, address: str, size: str, scheme: Any, whole: bool = False) -> Image.Image:
    """A picture of a page once it is still."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=size == "phone"
    )
    try:
        page: Page = context.new_page()
        page.set_default_timeout(120_000)
        page.goto(address, wait_until="networkidle")
        page.evaluate(SETTLED)
        return Image.open(io.BytesIO(page.screenshot(full_page=whole)))
    finally:
        context.close()


def save_small(image: Image.Image, file: Path) -> None:
    """Write a picture as WebP in at most `MAX_BYTES`. Raises ValueError where no quality is small enough."""
    for quality in QUALITIES:
        body = io.BytesIO()
        image.convert("RGB").save(body, "WEBP", quality=quality, method=6)
        if len(body.getvalue()) <= MAX_BYTES:
            file.write_bytes(body.getvalue())
            return
    raise ValueError(f"{file.name} would have more than {MAX_BYTES} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures of the page of a run.")
    parser.add_argument("--run", type=Path, required=True, help="a finished run, such as that of make demo")
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every page, for looking at")
    parser.add_argument("--only", nargs="+", help="with --all, pages of these names")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        place, served_run = stack.enter_context(served(arguments.run))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        pages = addresses(served_run)
        if arguments.all:
            arguments.all.mkdir(parents=True, exist_ok=True)
            for name in arguments.only or pages:
                for size in SIZES:
                    for scheme in ("light", "dark"):
                        file = arguments.all / f"{name}-{size}-{scheme}.png"
                        picture(browser, place + pages[name], size, scheme, whole=True).save(file)
        else:
            for shot in OF_DOCS:
                image = picture(browser, place + pages[shot.page], shot.size, shot.scheme)
                save_small(image, DOCS / f"{shot.name}.webp")
        browser.close()


if __name__ == "__main__":
    main()

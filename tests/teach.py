"""A tiny model that talks about the shop, and a tuning of it small enough for tests."""

from collections.abc import Mapping, Sequence

import torch
from tiny import talking_mllm, tiny_mllm
from torch import Tensor

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.synthetic.catalogue import MATERIALS
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.summarize import prompts
from mmsrarec.summarize.settings import SummarizeSettings, TuneSettings

SMALL = {
    "items": 8, "held_out_items": 4, "samples": 2, "epochs": 1, "steps": 3, "prompts": 2, "group": 4, "rank": 2,
    "learning_rate": 5e-3, "warm_start_learning_rate": 5e-3, "first_layer": 0,
}  # fmt: skip


def embedding_model(texts: Sequence[str]) -> Tensor:
    """A bag of letters: cheap, and like for like texts."""
    rows = torch.zeros(len(texts), 26)
    for row, text in enumerate(texts):
        for letter in text.lower():
            if "a" <= letter <= "z":
                rows[row, ord(letter) - 97] += 1
    return rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-6)


def taught_mllm(dataset: Dataset) -> Mllm:
    """It says two words of the shop, whatever it is asked. To be used where `prompts.SHOTS` is ()."""
    assert prompts.SHOTS == ()
    mllm = tiny_mllm()
    asked = [prompts.text_prompt(mllm, item, 24) for item in dataset.items[:20]]
    asked.append(prompts.image_prompt(mllm, 4))
    words = (*MATERIALS, "home", "kitchen", "wear")
    return talking_mllm(asked, [f"{a}, {b}" for a in words for b in words])


def restored_mllm(weights: Mapping[str, Tensor]) -> Mllm:
    """The model that these weights were taught."""
    mllm = tiny_mllm()
    mllm.model.load_state_dict(weights)
    mllm.fingerprint = "talking"
    return mllm


def settings_of(**tuning) -> SummarizeSettings:
    return SummarizeSettings(
        text_budget=24, max_new_tokens_text=8, max_new_tokens_image=6, tune=TuneSettings(**(SMALL | tuning))
    )

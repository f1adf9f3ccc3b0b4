"""Tuning: the summarising policy is trained by rewards of its keywords (arXiv 2512.20916, stage 1).

Reading order: `policy` (all steps of tuning), `tuning_tasks` (the questions), `rewards`, `image_reward` and
`reward_parts` (how keywords are scored), `frozen_models` (the language models behind the rewards), `reward_scorer` (the
rewards of a recipe together), `best_of_n` (the targets of the warm start), `trainers` and `training_log` (supervised
fine-tuning and GRPO). `policy` and `trainers` need the packages of the extra `tune`.
"""

from typing import TYPE_CHECKING, Any

from mmsrarec.core.lazy_imports import public_attribute

if TYPE_CHECKING:
    from mmsrarec.summarize.tuning.policy import TuningContext, tune
    from mmsrarec.summarize.tuning.reward_parts import Embed, Reward

__all__ = ["Embed", "Reward", "TuningContext", "tune"]

_MODULES = {"Embed": "reward_parts", "Reward": "reward_parts", "TuningContext": "policy", "tune": "policy"}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, so that summarizing needs no package of tuning."""
    return public_attribute(__name__, _MODULES, name)

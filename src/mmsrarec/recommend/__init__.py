"""Stage 3: the language model ranks candidates by a prompt of history, collaborative context and item summaries.

To read in this order: `settings`, then `prompt` (what a prompt says), `ranking` (scores, and their fusion with
candidate generators), `training` (the adapter), `explain` (reasons by leaving facts out), and `ablations` (variants by
name).

Other rooms use `settings.RecommendSettings`, `prompt.prompts.Prompts`, `prompt.prompt_context.Retrieval`,
`prompt.preferences.UserPreferences`, `ranking.scorer.MllmScorer`, `ranking.fusion.Fusion`, `training.fine_tuning.tune`
and `explain.explain`. `settings` needs no torch.
"""

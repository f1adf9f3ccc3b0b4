"""Whole runs: every stage in order, a recipe chosen to fit a given time, and leak checks of a finished run.

Read `run` first, which does the stages of a recipe; then `steps`, which makes each part; then `fit`, which measures the
machine (`fit_costs`), chooses a recipe (`fit_plan`) and runs it, by rankers alone where no language model is installed
(`fit_rankers`); `leak_check`; and `demo`, a recipe on a synthetic catalogue.

Other rooms use `run.run`, `run.update`, `run.refit`, `fit.fit` and `leak_check.check_run`.
"""

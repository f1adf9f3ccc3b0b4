"""Measuring: metrics, protocols, statistical tests and leak checks. Rankers go in, figures come out.

To read in this order: `metrics`, `protocols`, `significance`, `test_queries` (which users a table ranks for),
`table_facts`, `hyperparameter_search`, `reference_results`, and `leaks`.

Other rooms use `settings.EvaluateSettings`, `protocols.evaluate_published` and `evaluate_full`,
`significance.intervals`, `paired` and `holm`, and `test_queries.check_queries`. Importing these needs no torch.
"""

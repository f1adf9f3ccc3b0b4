"""The study of a run: models are compared on equal terms, and a report tells the result.

To read in this order: `model_names`, `model_scorers` (the rankers of the rows), `generator_selection` and
`candidate_generators`, `model_results` (one row), `results` (its file and tests), `comparison` (all rows), `showcase`
(single users), `mllm_msr` (a rebuilt competitor), and `report` (the pages).

Other rooms use `comparison.compare` and `comparison.leak_checks`, and `mllm_msr.part.train_msr`.
"""

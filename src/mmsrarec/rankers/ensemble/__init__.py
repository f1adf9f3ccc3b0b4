"""Several rankers as one.

Read in this order: `features` (a ranker's scores on a common scale), `conditional_logit` (their weights), `weighted`
(their weighted sum), `interleaved` (rankers that take turns), `two_stage` (one proposes, another re-ranks).
"""

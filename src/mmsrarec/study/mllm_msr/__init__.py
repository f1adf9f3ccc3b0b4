"""The row "mllm-msr": a pipeline after MLLM-MSR (arXiv 2408.09698) on the backbone of MMSRARec.

To read in this order: `writer` (descriptions and preferences), `ranker`, `part` (training and loading within a run).
"""

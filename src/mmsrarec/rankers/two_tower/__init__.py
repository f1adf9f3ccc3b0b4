"""Rankers of two towers trained by BPR: matrix factorisation, and multimodal ones without a language model's ranking.

To read in this order: `two_tower_ranker` (what they share), `bpr`, `vbpr`, `item_graph` (graphs of similar items),
`freedom_style`, `mllmrec_style` (clean and leaky).
"""

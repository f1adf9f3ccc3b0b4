"""Soft tokens: vectors of the sequence models in the prompt, one token an item (CoLLM, arXiv 2310.19488).

Read `soft_sources` first (whose vectors and states), then `soft_token_map` (how they become embeddings of the language
model), then `cross_fitting` (states that training may see).
"""

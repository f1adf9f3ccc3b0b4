"""Packing: many candidates after one shared prompt are computed in one forward pass.

Read `packed_prompt` first, which says what a packed prompt is and how a batch is laid out; then `forward`, which runs
the model on it; then `attention`, which computes only the pairs of tokens that see each other. `prefix_tree` shares
prefixes among prompts, `shared_prefix` serves models whose attention cannot be replaced, `token_index` skips the
feed-forward layer where nobody reads it, and `answer_likelihood` computes log-probabilities of answers.
"""

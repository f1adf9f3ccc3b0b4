"""Answers of a finished run: questions are read and checked, candidates proposed, and reasons put into words.

Read `recommendations` first, which says what an answer is; then `options` and `arguments`, what callers may give;
`questions`, which turns ids into codes; `generators`, which propose candidates; `scores`; `reasons`; `answering`, which
joins these for many at once; `batch`, tables of many answers; `similar_items`; and `without_model`, what stands in for
the language model where it is not installed.

`runs.recommender.Recommender` joins them, and is what other rooms use.
"""

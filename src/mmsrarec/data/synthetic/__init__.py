"""The built-in synthetic catalogue, whose right answers are known.

Read `catalogue` first, which draws items and shoppers; then `ground_truth`, the rule by which shoppers choose and the
oracle that knows it; then `drawing`, which draws the pictures.
"""

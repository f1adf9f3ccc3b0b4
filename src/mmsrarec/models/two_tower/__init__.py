"""Two towers: a user's vector and an item's vector, trained so that what was consumed is above what was not.

To read in this order: `towers` (the models), `bpr_training` (their training).
"""

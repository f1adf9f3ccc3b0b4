"""Training of the ranking adapter: which examples, in which order, with which loss.

To read in this order: `training_samples`, `training_tasks`, `training_plan`, `ranking_loss`, `fine_tuning`.
"""

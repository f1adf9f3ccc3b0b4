"""Training of the ranking adapter: which examples, in which order, with which loss.

To read in this order: `training_samples`, `training_tasks`, `pack_drawing`, `training_plan`, `ranking_loss`,
`ranking_objective`, `early_stopping`, `fine_tuning`.
"""

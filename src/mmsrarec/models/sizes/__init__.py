"""How large a model is and what it computes, from its configuration alone: no weights are read.

Read `model_size` first. `published_models.toml` holds configurations of published models.
"""

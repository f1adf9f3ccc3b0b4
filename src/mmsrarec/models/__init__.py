"""The models that compute: the multimodal language model, its adapters, packed prompts, and sequence models.

Read `backbone` first, the multimodal language model, then `packing`, which computes many candidates in one forward
pass, then `sequence`, the models over item ids. `devices` checks what a computation may run on, `processes` lets
several processes train one model, `ray_workers` lets several answer with one, and `weight_packages` installs the
weights of the embedded model. The modules `devices`, `ray_workers`, `weight_packages` and `backbone.settings` need no
torch.
"""

CONVERTED = "embedded-1-"
"""The start of the names of converted models in the cache folder; an unfinished one has a dot in front."""

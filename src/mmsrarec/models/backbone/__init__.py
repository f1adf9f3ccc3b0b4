"""The multimodal language model: loading, generating text, and training adapters.

Read `mllm` first, the one class that all other rooms use, and `settings`, its settings. `loading`, `embedded` and
`dtype` make it, `decoding` generates text, `adapter` trains LoRA weights, `warm_up` trains the projector, and
`text_embedder` is another model, for rewards. What concerns pictures is in `models/vision`.
"""

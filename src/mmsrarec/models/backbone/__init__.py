"""The multimodal language model: loading, encoding pictures, generating text, and training adapters.

Read `mllm` first, the one class that all other rooms use, and `settings`, its settings. `loading`, `embedded` and
`dtype` make it, `decoding` generates text, `vision_layout` and `pooling` place and average visual tokens,
`image_features` encodes the pictures of a catalogue, `image_token_ids` gives visual tokens ids of their own,
`adapter` trains LoRA weights, `warm_up` trains the projector, and `text_embedder` is another model, for rewards.
"""

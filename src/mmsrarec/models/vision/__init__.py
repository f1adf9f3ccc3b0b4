"""Pictures in a prompt: features of the vision encoder, their places, and their token ids.

`image_features` encodes the pictures of a catalogue, `pooling` makes fewer tokens of them, `vision_layout` says where
they stand in a prompt, and `image_token_ids` gives them ids beyond the vocabulary.
"""

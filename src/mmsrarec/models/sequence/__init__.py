"""Sequence models over item ids: encoders that turn a history into states, and states into item scores.

Read `encoders` first (SASRec, GRU4Rec, BERT4Rec), then `content_sasrec`, whose item vectors also hold what an item is,
`language_body` and `item_tokens`, whose layers are those of a language model, `modality_experts` and `speeder_style`,
a form of it, and `catalogue_softmax`, the training loss over all items.
"""

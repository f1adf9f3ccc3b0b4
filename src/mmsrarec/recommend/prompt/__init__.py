"""What a prompt says: the context of a query, its rendering into tokens, and the facts that explanations leave out.

To read in this order: `preferences`, `prompt_context`, `prompts`, `explanation_units`.
"""

"""What a recipe will cost, by calculation: tokens, operations, memory and hours, before anything runs.

Read `plan` first. `data_size` counts the data, `prompt_tokens` the tokens of a prompt, `work` the operations, `memory`
the bytes, `stage_costs` brings them together for each stage, and `machines` turns them into hours.
"""

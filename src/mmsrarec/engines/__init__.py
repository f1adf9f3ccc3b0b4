"""Engines: who runs the language model of stage 1, this process or a server.

Reading order: `protocol` (what every engine can do), `prompt_rendering` and `local_engine` (this process).
"""

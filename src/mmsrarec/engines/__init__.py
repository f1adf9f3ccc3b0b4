"""Engines: who runs the language model of stage 1, this process, workers of Ray, or a server.

Reading order: `protocol` (what every engine can do); `prompt_rendering` and `local_engine` (this process);
`ray_engine` (workers that answer as it does); `openai_engine` (a server), which stands on `chat_messages` and
`picture_urls` (what is sent), `server_client`, `pacing` and `server_address` (how), and `chat_completions` (what comes
back); `scoring` (scores of candidates from a server); `settings` and `engine_choice` (who is asked).
"""

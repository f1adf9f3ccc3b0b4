"""The command `mmsrarec`: reads arguments, calls the library, and prints an answer as text or as JSON.

Read in this order: `commands` (the entry point), `app` (what makes a function a command), `data_verbs`, `run_verbs`,
`answer_verbs`, `serve_verb`, `models` and `doctor` (the commands), `options` and `formats.id_tables` (their arguments),
`formats.plain_text` (an answer as text), `crash_report` (unexpected errors).
"""

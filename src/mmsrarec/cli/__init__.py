"""The command `mmsrarec`: reads arguments, calls the library, and prints an answer as text or as JSON.

Read in this order: `commands` (the entry point), `app` (what makes a function a command), `data_verbs`, `run_verbs`,
`answer_verbs`, `models` and `doctor` (the commands), `options` and `id_tables` (their arguments), `format` (an answer
as text), `crash_report` (unexpected errors).
"""

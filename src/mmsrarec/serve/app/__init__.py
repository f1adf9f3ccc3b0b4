"""The server over HTTP.

Read `application` first; `routes_*` say what can be called, the other files what every call passes through: the key,
the cap on bodies, the log with its request ids, and the metrics.
"""

"""A finished run as a server: answers over HTTP, with a state of events and items in a database.

Read `service` first, which is what a server can do, in plain Python; the routes of `app` and the page call nothing
else. `schema` says what questions and answers hold, `model` asks the run in a worker beside the event loop, and
`state` keeps what must survive in a database.
"""

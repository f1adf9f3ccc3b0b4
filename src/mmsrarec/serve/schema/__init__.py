"""What is asked of a server and what it answers, as pydantic models: the routes, the page and the service share them.

Everything that a question may hold has a limit here, so that no other file needs to check sizes.
"""

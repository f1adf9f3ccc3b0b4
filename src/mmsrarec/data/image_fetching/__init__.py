"""Fetches the pictures that items name by an address in the web.

Read `fetch_images` first, which does the whole. `item_addresses` knows which items name an address, and gives them
their files; `host_rules` says whom we may ask, `guarded_transport` enforces it at each connection, `download` gets one
picture, and `fetch_ledger` remembers what was fetched, so that a stopped fetch goes on where it was.
"""

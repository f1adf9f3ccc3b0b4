"""What survives a restart, in SQLite or PostgreSQL: events, items, keywords, kept answers, receipts of erasures.

Servers of one database also tell each other there what they changed (`change_log`).
"""

"""What survives a restart, in SQLite or PostgreSQL: events, items, keywords, kept answers, receipts of erasures,
and what servers of one database tell each other.
"""

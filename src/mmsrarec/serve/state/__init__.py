"""What survives a restart, in SQLite or PostgreSQL: events, items, keywords, kept answers, receipts of erasures."""

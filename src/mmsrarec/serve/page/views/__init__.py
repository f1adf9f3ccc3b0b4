"""What each page shows, as plain data, gathered from the service."""

"""What changes in a finished run without training: items that join while it answers, users who are erased."""

"""How longer answers are shown to people, and the tables of ids that verbs read and write."""

"""How the longer answers of verbs are shown to people: `check` and `images`."""

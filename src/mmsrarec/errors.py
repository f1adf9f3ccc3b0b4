"""The one error a user meets: a single line that says what is wrong and what to do."""


class MmsrarecError(Exception):
    """Wrong input or wrong use. The command line prints it as one line and exits with 2."""

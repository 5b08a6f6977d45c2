"""The base of every error that a user can cause and mend."""


class InputError(ValueError):
    """What was given cannot be used; the message is one line: what is wrong, what would be right."""

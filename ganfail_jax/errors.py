"""The base of every error that a user can cause and mend."""


class InputError(ValueError):
    """What was given cannot be used; one line says what is wrong and what would be right."""

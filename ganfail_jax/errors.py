"""The base of every error that a user can cause and mend, and how it becomes one safe line."""

LONGEST = 500  # characters of a message


class InputError(ValueError):
    """What was given cannot be used; one line says what is wrong and what would be right."""


def one_line(error: BaseException) -> str:
    """An error's message, which may quote a hostile file, as one short printable line."""
    try:
        text = str(error)[: 4 * LONGEST]
    except ValueError:  # a number of too many digits
        text = ""
    text = " ".join(text.split()) or type(error).__name__
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)[:LONGEST]

"""What a person can put right: its text is a sentence for them, never a traceback."""


class Problem(Exception):
    """The start cannot go on; str() says why and what to do."""

"""The one error that a person is meant to read."""


class UserError(Exception):
    """A mistake that the person at the keyboard can put right.

    The message is one line that names the file, key or value at fault and what to do. Programs
    print it without a traceback and leave with exit code 1.
    """

"""The one error that a person is meant to read."""


class UserError(Exception):
    """A mistake that the person at the keyboard can put right.

    The message is one line that names the file, key or value at fault and what to do. Programs
    print it without a traceback and leave with ``exit_code``.
    """

    exit_code = 1


class SignalError(UserError):
    """A signal ended the work before its time; what was done is on disk.

    Args:
        message: see the class above.
        signal_number: of the signal; the exit code is the conventional one, 128 more.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number

"""Questions on the terminal."""

import sys


def confirmed(question: str) -> bool:
    """Ask a question, and return whether the answer is yes; without a terminal it is no."""
    return sys.stdin.isatty() and input(question).strip().lower() in ("y", "yes")

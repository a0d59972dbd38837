"""The reference of the configuration, from the schema and the comments in conf/."""


def page() -> str:
    """Return the page, in Markdown."""
    return "# Configuration\n"

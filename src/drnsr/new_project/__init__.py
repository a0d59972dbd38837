"""A project of one's own, which uses the installed package."""

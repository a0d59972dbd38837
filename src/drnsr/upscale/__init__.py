"""From files to enlarged files."""

"""The colours of the pages that people open as files, light and dark."""

THEME = """
:root { color-scheme: light dark; --ink: #202124; --faint: #5f6368; --page: #f6f6f4; --card: #fff;
  --line: #dadce0; --link: #1558b0; --accent: #1f5fa8; --better: #137333; --worse: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --faint: #a6abb1; --page: #17181a;
  --card: #222427; --line: #3c4043; --link: #8ab4f8; --accent: #7fb2f0; --better: #6cc98a;
  --worse: #f28b82; } }
"""
"""The CSS of the colours, for the head of a page."""

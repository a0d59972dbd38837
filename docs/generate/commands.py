"""The reference of the commands: what `drnsr COMMAND --help` prints, from the same parsers."""

from argparse import SUPPRESS, Action, ArgumentParser
from importlib import import_module

from drnsr.cli import ANYWHERE, IN_A_PROJECT

INTRODUCTION = """\
# Commands

`drnsr --help` lists the commands, and `drnsr COMMAND --help` prints what stands here. A command
that fails exits with 1 and one line that says why; a mistyped option exits with 2. Each takes
`-v` too, which shows where an error comes from, and what libraries log and warn of.
"""
TITLES = {"Anywhere": ANYWHERE, "In the folder of a project": IN_A_PROJECT}


def page() -> str:
    """Return the page, in Markdown."""
    parts = [INTRODUCTION]
    for title, names in TITLES.items():
        parts.append(f"## {title}\n")
        parts += [_command(name) for name in sorted(names)]
    return "\n".join(parts)


def _command(name: str) -> str:
    module = import_module(f"drnsr.cli.{name}")
    parser = ArgumentParser(prog=f"drnsr {name}", add_help=False)
    module.add_arguments(parser)
    usage = parser.format_usage().removeprefix("usage: ")
    lines = [f"### drnsr {name}\n", (module.__doc__ or "").strip(), f"\n```text\n{usage}```\n"]
    actions = [action for action in parser._actions if action.help != SUPPRESS]
    if actions:
        lines += ["| argument | default | meaning |", "|---|---|---|"]
        lines += [_row(action) for action in actions]
    return "\n".join(lines) + "\n"


def _row(action: Action) -> str:
    name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    value = action.metavar if action.option_strings and action.nargs != 0 else None
    if action.choices is not None and action.option_strings:
        value = "{" + ",".join(map(str, action.choices)) + "}"
    elif value is None and action.option_strings and action.nargs != 0:
        value = action.dest.upper()
    if isinstance(value, tuple):
        value = " ".join(value)
    shown = f"`{name} {value}`" if value else f"`{name}`"
    default = "" if action.default in (None, False, SUPPRESS, []) else f"`{action.default}`"
    return f"| {shown} | {default} | {_cell(action.help or '')} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("%%", "%").replace("|", "\\|").split())

"""Help texts as paragraphs: what is broken into lines in the source is one line, which a terminal
breaks where it ends.
"""

from __future__ import annotations

import inspect

import typer


def reflow_help(app: typer.Typer) -> None:
    """Give every verb of `app`, and of its groups of verbs, its help in whole paragraphs."""
    for verb in app.registered_commands:
        text = verb.help or inspect.getdoc(verb.callback) or ""
        verb.help = "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
    for group in app.registered_groups:
        if group.typer_instance is not None:
            reflow_help(group.typer_instance)

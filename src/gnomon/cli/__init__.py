"""The command `gnomon`: one file for each verb, what they share beside them.

Results go to stdout, progress and messages to stderr; `--json` makes the result one JSON object.
The verbs are thin: they read options, call the package, and print.
"""

from gnomon.cli.endings import main

__all__ = ["main"]

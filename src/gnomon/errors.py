"""The errors a user can cause. Each message says what was given, what was expected, what to try.

Every error carries the exit code of the command line, so that a script can tell them apart.
Our own bugs are `assert`s and other exceptions, and are not caught.
"""


class GnomonError(Exception):
    """Base of all errors that are the input's or the machine's fault, not ours."""

    exit_code = 1


class UsageError(GnomonError):
    """The request contradicts itself or asks for what does not exist (an option, a bit width)."""

    exit_code = 2


class ModelError(GnomonError):
    """A model's files are missing, damaged, or of a kind we do not know."""

    exit_code = 3


class DataError(GnomonError):
    """A text or data file is empty, too short, or not what it says it is."""

    exit_code = 4


class OutputError(GnomonError):
    """The result cannot be written: no space, no permission, or a folder that is not ours."""

    exit_code = 5


class ContextError(GnomonError):
    """A prompt does not fit the model's context."""

    exit_code = 6

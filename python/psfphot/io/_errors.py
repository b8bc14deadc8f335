"""What is wrong with a file, in one line."""


class FileFormatError(ValueError):
    """A file that is there but is not what was asked for.

    The message names the file, what was expected, what was found and, where
    there is one, the option that helps.
    """


class MissingPackageError(ImportError):
    """An optional package that is not installed; the message says which."""

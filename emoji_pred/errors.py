"""The one exception for mistakes a user can mend."""


class UserError(Exception):
    """A mistake in the configuration, the data or the surroundings of a run.

    The message is one line that names the file, row or option and says how to mend it. The command line
    shows it without a stack trace and ends with exit code 2.
    """

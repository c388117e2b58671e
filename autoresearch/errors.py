"""What a user may see go wrong, each with the exit code of DESIGN.md section 7.

The message is one plain sentence that says what happened and what to do next. It is raised where
it is understood and shown once, at the top (`cli.main`).
"""


class AutoresearchError(Exception):
    """An expected failure. Anything that is not one of these is a bug (exit code 1)."""

    exit_code = 1


class UsageError(AutoresearchError):
    """The command line makes no sense."""

    exit_code = 2


class ConfigError(AutoresearchError):
    """The experiment is not set up, or its configuration cannot be used."""

    exit_code = 3


class KeptFailing(AutoresearchError):
    """Trials or the proposer failed too often in a row."""

    exit_code = 4


class ProposerUnusable(KeptFailing):
    """The proposer cannot work at all here: not installed, not logged in."""


class Protected(AutoresearchError):
    """Stopped to protect the user's work or the record."""

    exit_code = 5


class GitError(Protected):
    """A git command failed for a reason that the caller did not expect."""


class Locked(AutoresearchError):
    """Another run holds this experiment."""

    exit_code = 75


class Interrupted(AutoresearchError):
    """The user asked to stop (Ctrl-C, SIGTERM, `autoresearch stop`)."""

    exit_code = 130

"""The config may be edited while a loop runs: notice it, and use what can be used."""

from collections.abc import Callable

from autoresearch import proposers
from autoresearch.config import Config
from autoresearch.errors import ConfigError, UsageError
from autoresearch.session import Session


class ConfigWatch:
    """Reads the config again when its file was changed."""

    def __init__(self, session: Session, overridden: Callable[[Config], Config]) -> None:
        self._session = session
        self._overridden = overridden
        self._seen = self._stamp()

    def config_changed(self) -> bool:
        """Whether the session uses another config now. A broken one is said aloud and not used."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        session = self._session
        try:
            config = self._overridden(session.experiment.load_config())
            proposers.check(config.proposer.use)
            if missing := config.missing():
                raise ConfigError(f"It lacks {', '.join(missing)}.")
        except (ConfigError, UsageError) as error:
            session.reporter.say(f"Still using the config of before. {error}")
            return False
        if config == session.config:
            return False
        session.reporter.say("config.toml was changed: it counts from the next trial on.")
        session.use_config(config)
        return True

    def _stamp(self) -> tuple[int, int]:
        try:
            status = self._session.experiment.config_path.stat()
        except FileNotFoundError:
            return 0, 0
        return status.st_mtime_ns, status.st_size

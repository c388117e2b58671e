"""An experiment loop that you can leave alone overnight and trust in the morning."""

__version__ = "0.1.0"

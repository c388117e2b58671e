"""One file a command, each with one function that takes plain values and returns an exit code."""

"""A place for experiments that is nobody's home directory."""

from pathlib import Path

import pytest
from laboratory import Laboratory, new_laboratory


@pytest.fixture
def laboratory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laboratory:
    """An empty repository, with a home and a cache of its own."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AUTORESEARCH_CACHE", str(tmp_path / "cache"))
    return new_laboratory(tmp_path / "project")

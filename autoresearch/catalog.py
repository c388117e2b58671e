"""Finds what ships beside the code: templates, evaluators, SKILL.md.

In a checkout they stand at its top; a wheel carries them inside the package.
"""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def find(name: str) -> Path:
    """The shipped file or directory of this name, such as `templates/demo`.

    Raises FileNotFoundError, naming both places, when the installation is broken.
    """
    places = (_PACKAGE / "_data" / name, _PACKAGE.parent / name)
    for place in places:
        if place.exists():
            return place
    raise FileNotFoundError(f"{name} is neither at {places[0]} nor at {places[1]}")

"""Histories that other tools wrote: a format is a file here and a line in the table.

Text to rows, without side effects. Nothing is left out in silence: a line that cannot be read is
an error that names it.
"""

from dataclasses import replace

from autoresearch.errors import UsageError
from autoresearch.importers import gluepy, karpathy, labloop, own, pi, seed
from autoresearch.importers.base import Importer, Row, Source, Table

__all__ = ["FORMATS", "Row", "Table", "read"]

# In the order in which they are tried: karpathy's is the most general of the tables.
FORMATS: dict[str, Importer] = {
    "autoresearch": own,
    "autoresearch-agent": seed,
    "Gluepy": gluepy,
    "karpathy": karpathy,
    "labloop": labloop,
    "pi-autoresearch": pi,
}
_KNOWN = (
    "karpathy's results.tsv, Gluepy's experiment_log.tsv, labloop's ledger, pi-autoresearch's "
    "autoresearch.jsonl, and our own results.tsv"
)


def read(data: bytes, name: str, metric: str = "", direction: str | float = "") -> Table:
    """The history in `data`, a file called `name`.

    `metric` and `direction` may be left out where the file says them. Raises UsageError when it is
    of no known format, lacks the metric or contradicts what was given, ConfigError for a line that
    cannot be read.
    """
    source = Source.of(data, name)
    if not source.lines:
        raise UsageError(f"{name} is empty: there is nothing to import.")
    form = next((form for form in FORMATS if FORMATS[form].recognises(source)), None)
    if form is None:
        raise UsageError(f"{name} is of no known format. Known are {_KNOWN}.")
    table = FORMATS[form].read(source, metric)
    if not table.rows:
        raise UsageError(f"{name} holds no rows: there is nothing to import.")
    _refuse_contradiction(name, "metric", table.metric, metric)
    _refuse_contradiction(name, "direction", table.direction, direction)
    table = replace(
        table,
        format=form,
        metric=table.metric or metric,
        direction=direction if table.direction == "" else table.direction,
    )
    if not table.metric:
        raise UsageError(f"{name} does not say what the metric is called: add --metric NAME.")
    if table.direction == "":
        raise UsageError(
            f"{name} does not say which {table.metric} is better: add --direction lower or "
            "--direction higher."
        )
    return table


def _refuse_contradiction(name: str, what: str, said: str | float, given: str | float) -> None:
    if "" not in (said, given) and said != given:
        raise UsageError(f"{name} says that the {what} is {said}, not {given}: leave --{what} out.")

"""labloop's ledger: JSON Lines of manifests, trials and forks."""

from typing import Any

from autoresearch.importers import reading
from autoresearch.importers.base import Row, Source, Table
from autoresearch.trial import Status

_STATUS = {
    "kept": Status.KEEP,
    "reverted": Status.DISCARD,
    "no_change": Status.NO_CHANGE,
    "failed": Status.CRASH,
    "timed_out": Status.TIMEOUT,
    "no_metric": Status.INVALID,
    "not_finite": Status.INVALID,
    "harness_changed": Status.TAMPERED,
    "interrupted": Status.INTERRUPTED,
}
# For trials that labloop itself wrote no note about.
_REASON = {
    "failed": "the command failed",
    "timed_out": "ran past its limit",
    "no_metric": "the metric was not printed",
}
_GOAL = {"minimize": "lower", "maximize": "higher"}
_MAIN = "main"


def recognises(source: Source) -> bool:
    """By its first object: a manifest, or a trial of before there were manifests."""
    first = reading.first_object(source)
    return first.get("manifest") == 1 or {"index", "outcome"} <= first.keys()


def read(source: Source, metric: str) -> Table:
    """All trials. A manifest with another command, metric or goal begins a new segment."""
    spec: tuple[object, ...] | None = None
    name, direction, segment = metric, "", 0
    rows: list[Row] = []
    has_baseline = False
    for number, content in reading.objects(source):
        if content.get("manifest") == 1:
            name, direction = _measure(source, number, content)
            measured = (content.get("run"), name, direction)
            segment += spec is not None and measured != spec
            spec = measured
        elif content.get("fork") != 1:
            rows.append(_row(source, number, content, name or "the metric", segment))
            has_baseline |= _is_baseline(content)
    return Table(
        rows=tuple(rows),
        metric=name,
        direction=direction,
        begins_with_baseline=has_baseline,
    )


def _measure(source: Source, number: int, manifest: dict[str, Any]) -> tuple[str, str]:
    name, goal = manifest.get("metric"), str(manifest.get("goal"))
    if not isinstance(name, str) or not name:
        raise source.unreadable(number, "the manifest names no metric")
    if goal not in _GOAL:
        raise source.unreadable(number, f"the goal is {goal!r}, not one of {', '.join(_GOAL)}")
    return name, _GOAL[goal]


def _is_baseline(content: dict[str, Any]) -> bool:
    return content["outcome"] == "kept" and content.get("note") == "baseline"


def _row(source: Source, number: int, content: dict[str, Any], metric: str, segment: int) -> Row:
    outcome = str(content.get("outcome"))
    if outcome not in _STATUS:
        raise source.unreadable(
            number, f"the outcome is {outcome!r}, not one of {', '.join(_STATUS)}"
        )
    cell = content.get("metric")
    status, value, reason = reading.judged(source, number, _STATUS[outcome], metric, cell)
    note, line = str(content.get("note") or ""), str(content.get("direction") or _MAIN)
    is_told = status in (Status.KEEP, Status.DISCARD)
    # labloop asks its proposer for no idea: what there is to say is its own note.
    parts = [line if line != _MAIN else "", note if is_told else ""]
    return Row(
        status=status,
        value=value,
        description=": ".join(filter(None, parts)),
        reason=reason or ("" if is_told else note or _REASON.get(outcome, "")),
        commit=str(content.get("commit") or ""),
        metrics={} if value is None else {metric: value},
        segment=segment,
        seconds=max(0.0, reading.finite(content.get("duration_seconds")) or 0.0),
    )

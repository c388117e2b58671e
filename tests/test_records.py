"""What is written to the journal can be read again, whatever was left empty."""

import pytest

from autoresearch.records import (
    Abandoned,
    Applied,
    Decided,
    EpochOpened,
    Probed,
    Proposed,
    RunFinished,
    SessionOpened,
    Stopped,
    TrialStarted,
    from_json,
    to_json,
)
from autoresearch.trial import Role, Run, RunStatus, Status

RUN = Run(
    role=Role.CANDIDATE, tree="t", index=0, seed=1, status=RunStatus.MEASURED, metrics={"cost": 0.0}
)


@pytest.mark.parametrize(
    "record",
    [
        SessionOpened(version="1", pid=1),
        EpochOpened(epoch=1, digest="d", reason="the first", baseline="b"),
        Probed(value=None, target_is_measured=True),
        TrialStarted(n=1, parent="b", proposer="command"),
        Proposed(n=1, candidate="c", tree="t", idea="é \u2028\n", parameters={"A": "1"}),
        Abandoned(n=1, reason="no network"),
        RunFinished(n=1, run=RUN),
        Decided(n=1, status=Status.KEEP, reason="better", numbers={"value": 0.0}),
        Applied(n=1),
        Stopped(reason="Ctrl-C", exit_code=130),
    ],
    ids=lambda record: record.type,
)
def test_every_record_comes_back_as_it_was(record):
    assert from_json(to_json(record)) == record

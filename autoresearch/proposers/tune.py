"""Searches the parameters that the target declares (see parameters.py) with Optuna's TPE.

For numbers and choices in known ranges, where it needs no model and beats one. TPE: Bergstra et
al., "Algorithms for Hyper-Parameter Optimization", 2011; here its multivariate form.

The search is a function of the record: every trial of the epoch is told, whoever proposed it, and
the sampler's seed comes from the experiment and the number of trials told. So a loop that is
resumed proposes what it would have proposed.
"""

import hashlib
import itertools
import math
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import TYPE_CHECKING

from autoresearch import parameters as declarations
from autoresearch.errors import ConfigError, ProposerUnusable
from autoresearch.parameters import Kind, Parameter
from autoresearch.proposers.base import Context, Proposal, Request, SearchExhausted
from autoresearch.state import State
from autoresearch.trial import Status, Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Point = tuple[str, ...]  # one value, in its canonical spelling, for each parameter in order

_ASKS = 20  # how often TPE is asked before a point that is new is drawn at random
_ENUMERABLE = 10_000  # a space with at most so many points is listed when it is nearly used up
_DRAWS = 1000
# Verdicts on our own candidates that speak against the values that they hold.
_BAD = frozenset({Status.CRASH, Status.TIMEOUT, Status.INVALID, Status.CHECK, Status.GUARD})


class Tune:
    """Gives the declared parameters new values. Never tries a point twice in an epoch."""

    name = "tune"
    can_fix = False
    asks_a_person = False

    def __init__(self, context: Context) -> None:
        try:
            import optuna
        except ImportError:
            raise ProposerUnusable(
                "The proposer `tune` needs Optuna: pip install 'autoresearch[tune]'"
            ) from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._context = context
        self._goal = context.config.evaluate.goal
        self._search = Search([])
        self._epoch = 0
        self._seen: set[int] = set()

    def propose(self, request: Request) -> Proposal:
        """Write new values into the workspace.

        Raises SearchExhausted when every combination was tried, ConfigError when the target
        declares no parameter or one that makes no sense.
        """
        texts = self._read_target(request)
        parameters = declarations.declared_in_all(texts)
        if not parameters:
            raise ConfigError(
                "Nothing in the target declares a parameter to tune. Write a comment behind a "
                f"value, such as {declarations.SYNTAX}, and commit it."
            )
        self._learn(parameters, request.state)
        seed = f"{self._context.experiment_id}\0{self._epoch}\0{self._search.told}"
        before = {parameter.name: parameter.value for parameter in parameters}
        in_flight = [trial.parameters for trial in request.state.open_trials]
        values = self._search.next_values(seed, avoid=[before, *in_flight])
        for path, text in texts.items():
            changed = declarations.with_values(text, path, values)
            if changed != text:
                (request.workspace / path).write_bytes(changed.encode())
        news = {name: value for name, value in values.items() if value != before[name]}
        idea = ", ".join(f"{name}={value}" for name, value in (news or values).items())
        return Proposal(idea=idea, parameters=values)

    def _read_target(self, request: Request) -> dict[str, str]:
        """The text files of the target (path -> text), as the workspace has them.

        Git lists them, because a walk would go through linked data folders.
        """
        store, texts = self._context.store, {}
        for entry in store.files(store.tree_of(request.parent)):
            path = request.workspace / entry.path
            if request.rules.may_change(entry.path) and path.is_file() and not path.is_symlink():
                try:
                    texts[entry.path] = path.read_bytes().decode()
                except UnicodeDecodeError:
                    continue  # not text: it declares nothing
        return texts

    def _learn(self, parameters: Sequence[Parameter], state: State) -> None:
        """Tell the search what is new since the last time, or everything to a new search."""
        space = [parameter.space for parameter in parameters]
        if space != self._search.space or state.epoch != self._epoch:
            self._search, self._epoch, self._seen = Search(parameters), state.epoch, set()
            if state.epoch > 1:  # trial 0 belongs to the first epoch, but was measured again
                self._tell(Trial(number=0, commit=state.baseline, value=state.baseline_value))
        known = state.finished
        if not known or known[0].number not in self._seen:
            known = self._context.all_trials()  # the state has forgotten some, or we saw none yet
        for trial in known:
            if trial.status is not None and trial.number not in self._seen:
                self._seen.add(trial.number)
                if trial.epoch == self._epoch and trial.status != Status.INTERRUPTED:
                    self._tell(trial)

    def _tell(self, trial: Trial) -> None:
        values = trial.parameters or self._values_in(trial.commit)
        if trial.value is not None and trial.status != Status.GUARD:
            self._search.tell(values, loss=self._goal.loss(trial.value))
        else:
            # What others broke was hardly broken by the values.
            is_bad = bool(trial.parameters) and trial.status in _BAD
            self._search.tell(values, is_bad=is_bad)

    def _values_in(self, commit: str) -> dict[str, str]:
        """The values of the present parameters in a candidate that did not come from here."""
        if not commit:
            return {}
        texts = {}
        for path in {parameter.path for parameter in self._search.parameters}:
            content = self._context.store.read_file(commit, path)
            texts[path] = (content or b"").decode(errors="replace")
        try:
            found = declarations.declared_in_all(texts)
        except ConfigError:
            return {}  # a declaration that was broken then is no parameter
        return {parameter.name: parameter.value for parameter in found}


class Search:
    """One space: the points that were tried in it, and what Optuna makes of them."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        import optuna

        self.parameters = parameters
        self.space = [parameter.space for parameter in parameters]
        self.told = 0
        self._tried: set[Point] = set()
        with _without_warnings():
            self._distributions = {p.name: _distribution(p) for p in parameters}
            self._study = optuna.create_study(direction="minimize")

    def tell(
        self, values: Mapping[str, str], *, loss: float | None = None, is_bad: bool = False
    ) -> None:
        """Note a trial: measured (`loss`, lower is better), bad, or only tried.

        Values that lack one of the present parameters are from another space and not noted.
        """
        from optuna.trial import TrialState, create_trial

        point = self._point(values)
        if point is None:
            return
        self.told += 1
        self._tried.add(point)
        reached = {p.name: declarations.reachable(p, values[p.name]) for p in self.parameters}
        if None in reached.values() or (loss is None and not is_bad):
            return
        # Optuna ignores trials that failed. Pruned ones count as worse than all measured ones,
        # so that the search stays away from where everything crashes.
        state = TrialState.PRUNED if loss is None else TrialState.COMPLETE
        self._study.add_trial(
            create_trial(state=state, value=loss, params=reached, distributions=self._distributions)
        )

    def next_values(self, seed: str, avoid: Sequence[Mapping[str, str]]) -> dict[str, str]:
        """A point that was not tried and is none of `avoid`. Raises SearchExhausted."""
        taken = self._tried | {self._point(values) for values in avoid}
        number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4])
        point = self._suggest(number, taken) or self._draw(random.Random(number), taken)
        return {p.name: value for p, value in zip(self.parameters, point, strict=True)}

    def _point(self, values: Mapping[str, str]) -> Point | None:
        if any(parameter.name not in values for parameter in self.parameters):
            return None
        return tuple(values[parameter.name] for parameter in self.parameters)

    def _suggest(self, seed: int, taken: Set[Point | None]) -> Point | None:
        """TPE's suggestion, None when it insists on points that are taken."""
        from optuna.samplers import TPESampler
        from optuna.trial import TrialState

        with _without_warnings():
            self._study.sampler = TPESampler(seed=seed, multivariate=True)
            for _ in range(_ASKS):
                asked = self._study.ask(self._distributions)
                # Measured under the values as they were written: `tell` adds a trial of its own.
                self._study.tell(asked, state=TrialState.FAIL)
                point = tuple(_spell(p, asked.params[p.name]) for p in self.parameters)
                if point not in taken:
                    return point
        return None

    def _draw(self, source: random.Random, taken: Set[Point | None]) -> Point:
        sizes = [declarations.size(parameter) for parameter in self.parameters]
        total = math.prod(size or 0 for size in sizes)  # 0: without end
        if 0 < total <= _ENUMERABLE:
            columns = [
                [declarations.value_at(parameter, index) for index in range(size or 0)]
                for parameter, size in zip(self.parameters, sizes, strict=True)
            ]
            free = [point for point in itertools.product(*columns) if point not in taken]
            if free:
                return source.choice(free)
            names = ", ".join(parameter.name for parameter in self.parameters)
            raise SearchExhausted(f"all {total} combinations of {names} were tried")
        for _ in range(_DRAWS):
            point = tuple(_draw_value(source, parameter) for parameter in self.parameters)
            if point not in taken:
                return point
        raise SearchExhausted(f"{_DRAWS} random points had all been tried before")


def _distribution(parameter: Parameter) -> "BaseDistribution":
    from optuna import distributions

    if parameter.kind == Kind.CHOICE:
        return distributions.CategoricalDistribution(parameter.choices)
    low, high, step = parameter.low, parameter.high, parameter.step
    if step:
        high = low + step * ((declarations.size(parameter) or 1) - 1)  # the last one of the grid
    if parameter.kind == Kind.INT:
        return distributions.IntDistribution(
            int(low), int(high), log=parameter.log, step=int(step or 1)
        )
    return distributions.FloatDistribution(low, high, log=parameter.log, step=step)


def _spell(parameter: Parameter, value: float | str) -> str:
    return value if isinstance(value, str) else declarations.spell(parameter, value)


def _draw_value(source: random.Random, parameter: Parameter) -> str:
    size = declarations.size(parameter)
    if size is not None:
        return declarations.value_at(parameter, source.randrange(size))
    if parameter.log:
        value = math.exp(source.uniform(math.log(parameter.low), math.log(parameter.high)))
    else:
        value = source.uniform(parameter.low, parameter.high)
    return declarations.spell(parameter, min(max(value, parameter.low), parameter.high))


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Optuna calls multivariate TPE experimental before 5.0, at each use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

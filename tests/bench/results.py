"""What was measured: one `Round` per run of the load, one `Outcome` per row and proxy, one `Report` per bench run."""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.rows import Row


@dataclass(frozen=True)
class Round:
    """
    One run of the load against one proxy.

    @ivar counted: requests (or messages) that CPU time was divided by.
    @ivar cpu_us: CPU microseconds for each of them, all processes of the proxy; `user_us` + `system_us`.
    @ivar busy: the share of its core that the proxy used; below some 0.9 the load generator was the limit.
    """

    counted: float
    user_us: float
    system_us: float
    per_second: float
    p50_us: int
    p99_us: int
    busy: float
    peak_rss_kib: int
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def cpu_us(self) -> float:
        return self.user_us + self.system_us


@dataclass(frozen=True)
class Idle:
    """Memory of open connections that do nothing."""

    connections: int
    before_kib: int
    after_kib: int

    @property
    def kib_each(self) -> float:
        return (self.after_kib - self.before_kib) / self.connections


@dataclass(frozen=True)
class Outcome:
    """
    One proxy in one row: rounds, or idle memory, or why there is neither.

    @ivar failure: why the proxy could not be measured, "" when it could.
    @ivar log_bytes: size of its access log after the row; 0 says that it did not do its duty.
    """

    rounds: tuple[Round, ...] = ()
    idle: Idle | None = None
    failure: str = ""
    log_bytes: int = 0

    @property
    def middle(self) -> Round | None:
        """The round with the median CPU cost; all of its figures belong together."""
        ordered = sorted(self.rounds, key=lambda one: one.cpu_us)
        return ordered[len(ordered) // 2] if ordered else None

    @property
    def errors(self) -> dict[str, int]:
        """Errors of all rounds by kind."""
        total: Counter[str] = Counter()
        for one in self.rounds:
            total.update(one.errors)
        return dict(total)

    @property
    def peak_rss_kib(self) -> int:
        return max((one.peak_rss_kib for one in self.rounds), default=0)

    @property
    def cost(self) -> float | None:
        """The one figure that proxies are compared by: CPU microseconds, or KiB for each idle connection."""
        if self.idle is not None:
            return self.idle.kib_each
        return self.middle.cpu_us if self.middle else None


@dataclass(frozen=True)
class RowResult:
    """All proxies in one row, by name, in the order of the table."""

    row: Row
    outcomes: Mapping[str, Outcome]

    def clean(self, peer: str) -> bool:
        """Whether a proxy was measured, without an error: cheap answers that are errors prove nothing."""
        outcome = self.outcomes.get(peer)
        return outcome is not None and outcome.cost is not None and not outcome.errors and not outcome.failure

    def cost(self, peer: str) -> float | None:
        outcome = self.outcomes.get(peer)
        return outcome.cost if outcome else None

    def ratio(self, ours: str, peer: str) -> float | None:
        """How many times the cost of `peer` we cost; below 1 we are cheaper. None where one was not measured."""
        mine, other = self.cost(ours), self.cost(peer)
        return mine / other if mine is not None and other else None


@dataclass(frozen=True)
class Report:
    """One run of the bench."""

    date: str
    machine: str
    rounds: int
    seconds: int
    versions: Mapping[str, str]
    missing: Mapping[str, str]
    rows: Sequence[RowResult]

    def find(self, name: str) -> RowResult | None:
        return next((result for result in self.rows if result.row.name == name), None)

    def to_json(self) -> str:
        """For programs; every round is in it."""
        data: dict[str, Any] = {
            "date": self.date,
            "machine": self.machine,
            "rounds": self.rounds,
            "seconds": self.seconds,
            "versions": dict(self.versions),
            "missing": dict(self.missing),
            "rows": [_row_data(result) for result in self.rows],
        }
        return json.dumps(data, indent=1) + "\n"


def _row_data(result: RowResult) -> dict[str, Any]:
    return {
        "name": result.row.name,
        "title": result.row.title,
        "unit": result.row.unit,
        "connections": result.row.connections,
        "routes": result.row.routes or 1,
        "peers": {name: _outcome_data(outcome) for name, outcome in result.outcomes.items()},
    }


def _outcome_data(outcome: Outcome) -> dict[str, Any]:
    if outcome.failure:
        return {"failure": outcome.failure}
    if outcome.idle is not None:
        return {**dataclasses.asdict(outcome.idle), "kib_each": round(outcome.idle.kib_each, 2)}
    return {
        "median": _round_data(outcome.middle) if outcome.middle else None,
        "peak_rss_kib": outcome.peak_rss_kib,
        "errors": outcome.errors,
        "access_log_bytes": outcome.log_bytes,
        "rounds": [_round_data(one) for one in outcome.rounds],
    }


def _round_data(one: Round) -> dict[str, Any]:
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in _fields(one).items()}
    return {"cpu_us": round(one.cpu_us, 3), **rounded}


def _fields(one: Round) -> dict[str, Any]:
    return dataclasses.asdict(one)

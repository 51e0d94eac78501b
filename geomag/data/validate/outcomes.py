"""Running expectations with Great Expectations, and reading its results without surprises.

A missing column or a failing metric does not raise in version 1.24: the result is not successful
and carries its exceptions keyed by metric (great_expectations issue 10849). Those are told apart
from violations here, and neither ever counts as met.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]

MAX_OFFENDERS = 20
"""Records named in one outcome; the count beside them is of all."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one expectation."""

    expectation: str
    about: str
    """Columns, limits and the condition on the rows."""
    severity: Severity
    is_met: bool
    n_unexpected: int = 0
    offenders: tuple[str, ...] = ()
    """``<id> (<image>)`` of up to `MAX_OFFENDERS` records."""
    observed: str = ""
    exception: str = ""
    """Why it could not be judged; then it is not met."""

    @property
    def is_blocking(self) -> bool:
        """Whether the stage must stop."""
        return not self.is_met and self.severity == "critical"

    def to_json(self) -> dict[str, Any]:
        """JSON-able, empty fields left out."""
        return {k: v for k, v in asdict(self).items() if v not in ("", (), 0) or k == "is_met"}


def run_expectations(frame: Any, rules: Sequence[Any]) -> list[Outcome]:
    """Validate a DataFrame against expectations, in their order; ``ref_id`` names the rows."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    batch = (
        context.data_sources.add_pandas("manifest")
        .add_dataframe_asset("records")
        .add_batch_definition_whole_dataframe("all")
        .get_batch(batch_parameters={"dataframe": frame})
    )
    naming = [name for name in ("ref_id", "path") if name in frame.columns]
    form = {"result_format": "COMPLETE", "unexpected_index_column_names": naming}
    for position, rule in enumerate(rules):
        rule.meta = {"position": position}  # results come back with failed metrics first
    suite = gx.ExpectationSuite(name="manifest", expectations=list(rules))
    rows = batch.validate(suite, result_format=form).to_json_dict()["results"]
    rows.sort(key=lambda row: row["expectation_config"]["meta"]["position"])
    return [_outcome(row) for row in rows]


def _outcome(row: dict[str, Any]) -> Outcome:
    config, result = row["expectation_config"], row["result"]
    kwargs = {k: v for k, v in config["kwargs"].items() if k != "batch_id"}
    exception = _exception(row.get("exception_info") or {})
    return Outcome(
        expectation=config["type"],
        about=", ".join(f"{key} {_shown(value)}" for key, value in kwargs.items()),
        severity=config["severity"],
        is_met=bool(row["success"]) and not exception,
        n_unexpected=int(result.get("unexpected_count") or 0),
        offenders=_offenders(result.get("unexpected_index_list") or []),
        observed=_observed(result),
        exception=exception,
    )


def _exception(info: dict[str, Any]) -> str:
    """The message of a flat ``exception_info`` or of one keyed by metric; empty if none."""
    parts = [info] if "raised_exception" in info else list(info.values())
    raised = [p for p in parts if isinstance(p, dict) and p.get("raised_exception")]
    return "; ".join(str(p.get("exception_message") or "unnamed exception") for p in raised)[:500]


def _offenders(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(
        f"{row.get('ref_id', '?')} ({row.get('path', '?')})" for row in rows[:MAX_OFFENDERS]
    )


def _observed(result: dict[str, Any]) -> str:
    if mismatched := (result.get("details") or {}).get("mismatched"):
        return str(mismatched)
    value = result.get("observed_value")
    return (
        "" if value is None else f"{value:.6g}" if isinstance(value, float) else f"{value!s:.200}"
    )


def _shown(value: Any) -> str:
    """A limit as a reader would write it; row conditions come as trees."""
    if not isinstance(value, dict):
        return f"{value!s:.120}"
    if value.get("type") == "comparison":
        return f"{value['column']['name']} {value['operator']} {value['parameter']}"
    return " and ".join(_shown(part) for part in value.get("conditions", []))

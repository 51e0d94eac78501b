"""Which runs trained the parts and scored the answers behind a number."""

from collections.abc import Mapping
from pathlib import Path

from geomag.tracking.runs import ADAPTER, ANSWERS
from geomag.tracking.store import Store, TrackerDownError

NO_TRAINER = "no run of this version"
NO_SCORING = "no run of these answers on this version of the data"
NOT_REACHABLE = "not reachable"


def find_runs(root: Path, benchmark: str, arm: str, versions: Mapping[str, str]) -> dict[str, str]:
    """MLflow's run ids by what they did.

    Args:
        root: Project root.
        benchmark: Whose score is asked for.
        arm: ``magcrop`` or ``plain``.
        versions: DVC's md5 by part, of the benchmark's files as ``data``, and the sha256 of the
            answers as ``predictions``.

    Returns:
        Run ids; where MLflow has none, or does not answer, the reason in words.
    """
    found: dict[str, str] = {}
    try:
        store = Store(root)
        for part, md5 in versions.items():
            if part not in ("data", "predictions") and md5:
                found[f"trained {part}"] = store.trainer(md5) or NO_TRAINER
        wanted = {"benchmark": benchmark, "arm": arm, ANSWERS: versions["predictions"]}
        wanted[ADAPTER] = versions["adapter"]
        query = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in wanted.items())
        for run in store.search(["score"], query, ["attributes.start_time DESC"], 50):
            if versions["data"] in {used.dataset.digest for used in run.inputs.dataset_inputs}:
                found["scored"] = run.info.run_id
                break
        found.setdefault("scored", NO_SCORING)
    except TrackerDownError as failure:
        return {NOT_REACHABLE: str(failure)}
    return found

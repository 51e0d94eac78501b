"""The three things people run: all of it, the training, the scores of what is trained."""

import dagster as dg


def jobs() -> list[dg.JobDefinition]:
    """Asset jobs, resolved when the definitions load."""
    everything = dg.AssetSelection.all()
    scores = dg.AssetSelection.groups("predictions", "scores", "report")
    return [
        _job("whole_line", everything, "Records to report: every stage that is out of date."),
        _job("retrain", everything - scores, "Records, crops and models, without the scores."),
        _job("evaluate_only", scores, "Predictions, scores and report of the models at hand."),
    ]


def _job(name: str, selection: dg.AssetSelection, description: str) -> dg.JobDefinition:
    job: dg.JobDefinition = dg.define_asset_job(name, selection, description=description)  # type: ignore[assignment]
    return job

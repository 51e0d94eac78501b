"""The three things people run: all of it, retraining with the gate at its end, the scores alone."""

import dagster as dg

from geomag_dagster.promotion import PROMOTION


def jobs() -> list[dg.JobDefinition]:
    """Asset jobs, resolved when the definitions load."""
    everything = dg.AssetSelection.all()
    promotion = dg.AssetSelection.groups(PROMOTION)
    scores = dg.AssetSelection.groups("predictions", "scores", "report")
    return [
        _job(
            "whole_line",
            everything - promotion,
            "Records to report: every stage that is out of date.",
        ),
        _job("retrain", everything, "The whole line, then the gate: the better model is champion."),
        _job("evaluate_only", scores, "Predictions, scores and report of the models at hand."),
    ]


def _job(name: str, selection: dg.AssetSelection, description: str) -> dg.JobDefinition:
    job: dg.JobDefinition = dg.define_asset_job(name, selection, description=description)  # type: ignore[assignment]
    return job

"""Experiment tracking: runs, metrics, pictures, scores and model parts, in MLflow."""

from geomag.tracking.runs import Run, close_runs, log_scores, run, sync
from geomag.tracking.store import tracking_uri

__all__ = ["Run", "close_runs", "log_scores", "run", "sync", "tracking_uri"]

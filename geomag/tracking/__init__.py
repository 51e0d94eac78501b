"""Experiment tracking: runs, metrics, pictures, scores and model parts, in MLflow."""

from geomag.tracking.database import make_store, tracking_uri
from geomag.tracking.runs import Run, close_runs, log_scores, run, sync

__all__ = ["Run", "close_runs", "log_scores", "make_store", "run", "sync", "tracking_uri"]

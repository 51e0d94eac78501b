"""Imported by the local executor's fork server, so that a step is forked with all this loaded.

Modules and definitions only: an open database connection would not survive the fork.
"""

import dagster._core.storage.event_log.sqlite
import dagster._core.storage.runs.sqlite
import dagster._core.storage.schedules.sqlite  # noqa: F401
import sqlalchemy.dialects.sqlite  # noqa: F401

from geomag_dagster.definitions import evaluate_only, retrain, whole_line

for job in (whole_line, retrain, evaluate_only):
    job()

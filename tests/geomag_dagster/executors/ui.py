"""The code location that `test_terminate` opens in the UI."""

import dagster as dg

from tests.geomag_dagster.executors import steps

defs = dg.Definitions(jobs=[steps.stage()])

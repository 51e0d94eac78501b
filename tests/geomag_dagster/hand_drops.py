"""A small line of RRSIS-D with everything that takes in drops; also what `dagster dev` opens."""

import os
import shutil
from pathlib import Path

import dagster as dg
import yaml

from geomag_dagster.assets import dataset_specs, stage_assets
from geomag_dagster.automation import new_data_sensor
from geomag_dagster.dvc import DvcResource
from geomag_dagster.incoming import incoming_sensor, take_drop_job
from geomag_dagster.promotion import promotion_assets
from geomag_dagster.stages import read_stages
from tests.data.conftest import RrsisDrop, RrsisTree, rle
from tests.geomag_dagster import gated_line
from tests.geomag_dagster.toy import LINE, make_project

PROJECT = "HAND_DROPS_PROJECT"
"""Environment variable: the project that is opened."""
INSTANCES = "rrsisd/instances.json"


def make_line(root: Path) -> Path:
    """The toy line, over RRSIS-D's annotations in their real layout."""
    text = yaml.safe_dump(LINE, sort_keys=False)
    line = yaml.safe_load(text.replace("aid", "rrsis_d").replace("labels.txt", INSTANCES))
    make_project(root, line)
    RrsisTree(root / "data" / "rrsis_d").write()
    return root


class TestedTree(RrsisTree):
    """The train and val refs, and as many test refs as the gate needs to tell models apart."""

    rows = (
        *RrsisTree.rows[:3],
        *(
            (200 + i, "test", i % 20, "The ship", rle(slice(1, 9), slice(2, 8)), [2, 1, 8, 9])
            for i in range(40)
        ),
    )


def make_gated_line(root: Path) -> Path:
    """A line up to answers, which the gate judges (`gated_line`)."""
    make_project(root, gated_line.LINE)
    (root / "params.yaml").write_text("profile: sample\n")
    shutil.copyfile(gated_line.__file__, root / "line.py")
    TestedTree(root / "data" / "rrsis_d").write()
    return root


def copy_by_hand(root: Path, name: str = "march", *, bad: bool = False) -> Path:
    """A folder of two new records, copied into the inbox; with ``bad``, the second box is none."""
    drop = RrsisDrop(root / "incoming" / "rrsis_d" / name)
    if bad:
        drop.instances["annotations"][1]["bbox"] = [6, 0, 3, 9]
    return drop.write()


def definitions(root: Path, *, interval_s: int = 30) -> dg.Definitions:
    """The line, the jobs ``retrain`` and ``take_drop``, and the two sensors."""
    stages = read_stages(root)
    return dg.Definitions(
        assets=[*dataset_specs(["rrsis_d"]), *stage_assets(stages, root, on_gpu=False)],
        jobs=[
            dg.define_asset_job("retrain", dg.AssetSelection.all()),
            take_drop_job(root, busy_retries=1, busy_wait_s=0.1),
        ],
        sensors=[
            incoming_sensor(root, interval_s=interval_s),
            new_data_sensor(root, stages, interval_s=interval_s),
        ],
        resources={"dvc": DvcResource(root=str(root))},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The project that the environment names, looked at often, with the gate."""
    root = Path(os.environ[PROJECT])
    gate = dg.Definitions(assets=promotion_assets(read_stages(root), root))
    return dg.Definitions.merge(definitions(root, interval_s=2), gate)

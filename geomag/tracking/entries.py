"""What each kind of entry does to a run of MLflow. Doing it twice is doing it once."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geomag.tracking.offline_queue import Entry

EXTERNAL = "mlflow.model.isExternal"
"""MLflow's tag for a model whose files are kept elsewhere."""


def write_metrics(client: Any, run_id: str, entry: Entry, content: bytes = b"") -> None:
    """Log numbers at a step; MLflow keeps one of equal points."""
    from mlflow.entities import Metric

    binding = entry.get("binding", {})
    metrics = [
        Metric(name, value, entry["time"], entry["step"], run_id=run_id, **binding)
        for name, value in entry["values"].items()
    ]
    client.log_batch(run_id, metrics=metrics)


def write_file(client: Any, run_id: str, entry: Entry, content: bytes) -> None:
    """Log an artifact; one of the same name is replaced."""
    folder, _, name = entry["name"].rpartition("/")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / name
        path.write_bytes(content)
        client.log_artifact(run_id, str(path), folder or None)


def write_part(client: Any, run_id: str, entry: Entry, content: bytes = b"") -> None:
    """Log a model whose bytes DVC keeps, unless the run has it already."""
    experiment = client.get_run(run_id).info.experiment_id
    query = f"tags.`dvc.md5` = '{entry['md5']}' and source_run_id = '{run_id}'"
    if client.search_logged_models([experiment], query, max_results=1):
        return
    model = client.create_logged_model(
        experiment,
        name=entry["name"],
        source_run_id=run_id,
        tags={EXTERNAL: "true", "dvc.md5": entry["md5"]},
        params={**entry["params"], "dvc.md5": entry["md5"]},
        model_type="geomag-part",
    )
    client.finalize_logged_model(model.model_id, "READY")


def write_scores(client: Any, run_id: str, entry: Entry, content: bytes = b"") -> None:
    """Log metrics bound to the dataset, whose digest is DVC's md5, and to the adapter."""
    from mlflow.entities import Dataset, DatasetInput

    source = json.dumps({"dvc": f"data/{entry['dataset']}", "md5": entry["md5"]})
    dataset = Dataset(entry["dataset"], entry["md5"], source_type="dvc", source=source)
    client.log_inputs(run_id, [DatasetInput(dataset)])
    model = logged_model(client, entry["model_md5"])
    binding = {
        "dataset_name": entry["dataset"],
        "dataset_digest": entry["md5"],
        "model_id": model.model_id if model else None,
    }
    write_metrics(client, run_id, {**entry, "step": 0, "binding": binding})


def write_end(client: Any, run_id: str, entry: Entry, content: bytes = b"") -> None:
    """End the run."""
    client.set_terminated(run_id, entry["status"])


WRITERS: dict[str, Callable[[Any, str, Entry, bytes], None]] = {
    "metrics": write_metrics,
    "file": write_file,
    "part": write_part,
    "scores": write_scores,
    "end": write_end,
}
"""Function of each kind of entry, by its ``op``."""


def logged_model(client: Any, md5: str) -> Any:
    """The newest logged model whose bytes have this version, or None."""
    experiments = [e.experiment_id for e in client.search_experiments()]
    query = f"tags.`dvc.md5` = '{md5}'"
    found = client.search_logged_models(experiments, query, max_results=1) if md5 else []
    return found[0] if found else None

"""A candidate as MLflow's pyfunc: its parts' folders and settings, copied beside the code.

Only what passes the gate is packed. A base of pinned weights is a manifest and stays one: large
weights are never copied.
"""

import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from geomag.config import Profile, profile_text
from geomag.errors import WeightsError
from geomag.manifest import read_manifest
from geomag.versions import path_md5

CODE = Path(__file__).with_name("pyfunc.py")


def check_parts(models: Path, parts: Mapping[str, str]) -> None:
    """Refuse folders that are not the versions the gate judged.

    Args:
        models: Folder of the parts.
        parts: DVC's md5 by part.

    Raises:
        WeightsError: Naming the part that is missing, half-written or of another version.
    """
    for part, md5 in parts.items():
        read_manifest(models / part)
        if (found := path_md5(models / part)) != md5:
            raise WeightsError(
                str(models / part), f"version {found}", f"{md5}, which was judged", "dvc checkout"
            )


def log_package(model_id: str, models: Path, parts: Mapping[str, str], profile: Profile) -> None:
    """Write the files of a logged model that exists.

    Args:
        model_id: MLflow's, in the store that ``MLFLOW_TRACKING_URI`` names.
        models: Folder of the parts.
        parts: DVC's md5 by part.
        profile: The settings they were made with.

    Raises:
        WeightsError: As `check_parts`.
    """
    import mlflow.pyfunc

    check_parts(models, parts)
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        settings = Path(scratch) / "profile.yaml"
        settings.write_text(profile_text(profile), encoding="utf-8")
        warnings.filterwarnings("ignore", module="mlflow")  # it wants an example and type hints
        mlflow.pyfunc.log_model(
            model_id=model_id,
            python_model=str(CODE),
            artifacts={"profile": str(settings), **{p: str(models / p) for p in parts}},
            signature=_signature(),
            model_config={f"dvc.md5.{part}": md5 for part, md5 in parts.items()},
            pip_requirements=[f"geomag=={version('geomag')}"],
        )


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    asked = [ColSpec(DataType.binary, "image"), ColSpec(DataType.string, "prompt")]
    params = [
        ParamSpec("magcrop", DataType.boolean, True),
        ParamSpec("bands", DataType.string, ""),
    ]
    return ModelSignature(inputs=Schema(asked), params=ParamSchema(params))

"""What a prediction is made from, as digests that its journal and its shards carry."""

from collections.abc import Mapping
from pathlib import Path

from geomag.config import profile_digest
from geomag.config.schema import Profile
from geomag.io import file_digest, read_json, value_digest
from geomag.manifest import read_manifest
from geomag.model.weights import device_of

PARTS = ("base", "granularity", "adapter", "decoder")
SECTIONS = (
    "device",
    "prompt",
    "text_encoder",
    "vlm",
    "encoder",
    "decoder",
    "adapter",
    "granularity",
    "magcrop",
    "predict",
)
"""Settings that decide the bytes of an answer: those that `dvc.yaml` gives the stage."""


def prediction_identity(
    records: Path,
    profile: Profile,
    *,
    models: Path,
    crops: Path | None,
    code: Mapping[str, str],
    asked: Mapping[str, object],
) -> dict[str, str]:
    """Digests by name of all that decides the rows.

    Args:
        records: Records file; the pictures count by the digest in the report beside it.
        profile: All settings.
        models: Folder of the parts `PARTS`.
        crops: Folder of the stored heatmaps that are used; None where none are.
        code: Of the stage (`geomag.versions.code_identity`).
        asked: What else the command names: benchmark, arm, limit.

    Raises:
        WeightsError: If a part is missing.
    """
    report = records.with_name("report.json")
    pictures = read_json(report).get("images_digest", "") if report.is_file() else ""
    maps = crops / "heatmaps.npz" if crops else None
    return {
        **{part: str(read_manifest(models / part)["digest"]) for part in PARTS},
        "records": value_digest([file_digest(records), pictures]),
        "heatmaps": file_digest(maps) if maps and maps.is_file() else "none",
        "settings": profile_digest(profile, *SECTIONS),
        "device": device_of(profile).type,
        "command": value_digest(dict(asked)),
        **code,
    }

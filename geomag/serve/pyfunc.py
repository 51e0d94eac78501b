"""GeoMag as MLflow's pyfunc, from code: MLflow runs this file, nothing is unpickled.

The package beside it holds the parts' folders and the settings; see `geomag.serve.package`.
"""

from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc


class GeoMagModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Rows of ``image`` (bytes of a file) and ``prompt`` to answers."""

    def load_context(self, context: Any) -> None:
        """Load the parts, whose digests are checked first.

        Raises:
            WeightsError: If a file of the package has changed.
        """
        from geomag.config import load_profile
        from geomag.inference.pipeline import PARTS, Pipeline
        from geomag.manifest import read_manifest

        models = Path(context.artifacts[PARTS[0]]).parent
        for part in PARTS:
            read_manifest(models / part, verify=True)
        self._pipeline = Pipeline.load(models, load_profile(context.artifacts["profile"]))

    # without annotations: MLflow would take them for a schema, beside the signature that is logged
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
        """One answer a row (`geomag.serve.answering.answer_picture`)."""
        from geomag.ask.bands import band_numbers
        from geomag.ask.options import AskOptions
        from geomag.serve.answering import answer_picture

        chosen = params or {}
        options = AskOptions(
            arm="magcrop" if chosen.get("magcrop", True) else "plain",
            bands=band_numbers(chosen.get("bands", "")),
        )
        return [
            answer_picture(self._pipeline, bytes(row.image), row.prompt, options)
            for row in model_input.itertuples()
        ]


mlflow.models.set_model(GeoMagModel())

"""The champion, loaded: it follows MLflow's alias from one request to the next."""

import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.errors import GeoMagError, ToolError, WeightsError
from geomag.tracking.registry import MODEL, Registry, Version
from geomag.tracking.store import TrackerDownError


@dataclass(frozen=True, slots=True)
class Serving:
    """A version with its loaded model."""

    version: Version
    model: Any
    """MLflow's pyfunc."""

    def ask(self, image: bytes, prompt: str, **params: Any) -> dict[str, Any]:
        """One answer; ``version`` and ``candidate`` say whose."""
        import pandas as pd

        asked = pd.DataFrame({"image": [image], "prompt": [prompt]})
        (answer,) = self.model.predict(asked, params=params)
        return {**answer, "version": self.version.number, "candidate": self.version.candidate}


class Champion:
    """The model that the alias points at, asked by one request at a time.

    A request that has begun ends on the model it began with. Where MLflow does not answer, or the
    new version cannot be loaded, the old one stays and `problem` says why.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._serving: Serving | None = None
        self._refused = ""
        self.problem = ""
        """Why a version that should serve does not; empty while all is well."""

    def current(self) -> Serving:
        """The champion now, loaded if it is another than at the last request.

        Raises:
            ToolError: If none is loaded and MLflow does not answer.
            WeightsError: If none is loaded and there is none, or it cannot be loaded.
        """
        with self._lock:
            try:
                self._follow()
            except TrackerDownError as failure:
                self.problem = f"MLflow does not answer ({failure})"
                if self._serving is None:
                    raise ToolError("MLflow", f"does not answer ({failure})") from failure
            except GeoMagError as wrong:
                self.problem = str(wrong)
                if self._serving is None:
                    raise
            assert self._serving is not None
            return self._serving

    def ask(self, image: bytes, prompt: str, **params: Any) -> dict[str, Any]:
        """One answer of the champion as it is when the request begins."""
        return self.current().ask(image, prompt, **params)

    def _follow(self) -> None:
        version = Registry(self._root).champion()
        if version is None:
            raise WeightsError(f"registered model {MODEL}", "no champion", remedy="geomag promote")
        if self._serving and self._serving.version.number == version.number:
            self._refused = self.problem = ""
            return
        if version.number == self._refused:  # not once more for each request
            return
        self._refused = version.number
        self._serving = Serving(version, load(self._root, version))
        self._refused = self.problem = ""


def load(root: Path, version: Version) -> Any:
    """MLflow's pyfunc of a version.

    Raises:
        WeightsError: If it was registered without its weights, or its files are gone or changed.
    """
    from mlflow.exceptions import MlflowException

    place = f"{MODEL} version {version.number}"
    if not version.is_packed:
        raise WeightsError(place, "registered without its weights", remedy="geomag promote")
    import mlflow.pyfunc

    try:
        with Registry(root).as_default(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="mlflow")  # it wants type hints
            return mlflow.pyfunc.load_model(f"models:/{MODEL}/{version.number}")
    except (MlflowException, OSError) as failure:
        raise WeightsError(
            place, f"cannot be loaded ({str(failure)[:300]})", remedy="geomag promote --rollback"
        ) from failure

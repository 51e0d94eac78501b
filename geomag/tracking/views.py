"""Named searches over the tracked runs: ``mlflow/views/*.yaml``, printed by ``geomag runs``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.errors import ConfigError
from geomag.io import visible
from geomag.parse import mapping, read_yaml
from geomag.tracking.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One search, as its YAML file spells it."""

    title: str
    experiments: tuple[str, ...]
    filter: str = ""
    """MLflow's search language."""
    order_by: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    """``tags.<name>``, ``params.<name>`` or ``metrics.<name>``."""
    limit: int = 20


def read_views(root: Path) -> dict[str, View]:
    """The views of a project by file stem.

    Raises:
        ConfigError: Naming the file and the key that is unknown or missing.
    """
    views: dict[str, View] = {}
    for path in visible(root / "mlflow" / "views", "*.yaml"):
        tree = mapping(read_yaml(path), str(path), ConfigError)
        lists = {key: tuple(value) for key, value in tree.items() if isinstance(value, list)}
        try:
            views[path.stem] = View(**{**tree, **lists})
        except TypeError as wrong:
            raise ConfigError(str(path), str(wrong), f"keys {list(View.__slots__)}") from wrong
    return views


def search(view: View, root: Path) -> list[dict[str, Any]]:
    """The rows of a view: one a run, its columns by their last word, absent values left out.

    Raises:
        TrackerDownError: If MLflow does not answer.
    """
    runs = Store(root).search(view.experiments, view.filter, view.order_by, view.limit)
    return [{"run": run.info.run_name, **_cells(run.data, view.columns)} for run in runs]


def _cells(data: Any, columns: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for column in columns:
        kind, _, name = column.partition(".")
        values = getattr(data, kind)
        if name in values:
            found[name] = values[name]
    return found

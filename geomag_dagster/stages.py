"""``dvc.yaml`` as data: the stages it spells out, their templates expanded, and who feeds whom.

Needs PyYAML alone, and neither DVC nor Dagster, so that a definitions module loads at once.
Understood: ``vars``, ``foreach`` over lists and mappings, ``matrix``, ``${...}``, ``params``,
``deps``, ``outs``, ``metrics``, ``plots``, ``desc``.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from geomag.errors import ConfigError
from geomag.parse import mapping, read_yaml

_PLACEHOLDER = re.compile(r"\$\{\s*([^}]+?)\s*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage, as ``dvc repro --single-item <name>`` knows it."""

    name: str
    """``train``, or ``score@rrsis_d`` for an expanded one."""
    cmd: str
    deps: tuple[str, ...] = ()
    """Paths it reads, relative to the project."""
    outs: tuple[str, ...] = ()
    """Paths it writes, metrics and plots included."""
    params: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """``(file, keys)`` of the settings it depends on; no keys means the whole file."""
    desc: str = ""

    @property
    def group(self) -> str:
        """The name before ``@``: the template it was expanded from."""
        return self.name.partition("@")[0]


def read_stages(root: Path) -> dict[str, Stage]:
    """The stages of ``<root>/dvc.yaml`` by name, in the order written.

    Raises:
        ValueError: On a template that cannot be resolved, naming the stage.
    """
    tree = mapping(read_yaml(root / "dvc.yaml") or {}, "dvc.yaml", ConfigError)
    values = _variables(root, tree.get("vars", ["params.yaml"]))
    found: dict[str, Stage] = {}
    for name, definition in (tree.get("stages") or {}).items():
        for full_name, template, scope in _expand(name, definition, values):
            try:
                found[full_name] = _stage(full_name, _resolve(template, {**values, **scope}))
            except KeyError as missing:
                raise ValueError(f"dvc.yaml, stage {full_name}: no value for {missing}") from None
    return found


def feeders(stages: Mapping[str, Stage]) -> dict[str, set[str]]:
    """Names of the stages whose outputs each stage reads."""
    writer = {out: stage.name for stage in stages.values() for out in stage.outs}
    return {
        stage.name: {writer[out] for dep in stage.deps for out in writer if overlap(dep, out)}
        for stage in stages.values()
    }


def overlap(one: str, other: str) -> bool:
    """Whether two paths are the same or one lies inside the other, which is DVC's rule for edges.

    >>> overlap("predictions/aid", "predictions/aid/plain.jsonl"), overlap("a/bc", "a/b")
    (True, False)
    """
    a, b = PurePosixPath(one), PurePosixPath(other)
    return a.is_relative_to(b) or b.is_relative_to(a)


def _variables(root: Path, sources: list[Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for source in sources:
        if isinstance(source, dict):
            values.update(source)
        elif (path := root / source).is_file():
            values.update(mapping(read_yaml(path) or {}, str(path), ConfigError))
    return values


def _expand(
    name: str, definition: dict[str, Any], values: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield ``(full name, template, scope)`` of every stage a definition stands for."""
    if "foreach" in definition:
        items = _resolve(definition["foreach"], values)
        if isinstance(items, dict):
            for key, item in items.items():
                yield f"{name}@{key}", definition["do"], {"item": item, "key": key}
        else:
            for item in items:
                yield f"{name}@{item}", definition["do"], {"item": item}
    elif "matrix" in definition:
        axes = _resolve(definition["matrix"], values)
        template = {key: value for key, value in definition.items() if key != "matrix"}
        for combination in itertools.product(*axes.values()):
            item = dict(zip(axes, combination, strict=True))
            yield f"{name}@{'-'.join(map(str, combination))}", template, {"item": item}
    else:
        yield name, definition, {}


def _resolve(node: Any, values: dict[str, Any]) -> Any:
    if isinstance(node, dict):
        return {_resolve(key, values): _resolve(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_resolve(item, values) for item in node]
    if not isinstance(node, str):
        return node
    if whole := _PLACEHOLDER.fullmatch(node):
        return _lookup(whole[1], values)
    return _PLACEHOLDER.sub(lambda match: str(_lookup(match[1], values)), node)


def _lookup(expression: str, values: dict[str, Any]) -> Any:
    found: Any = values
    for part in expression.split("."):
        if not isinstance(found, dict) or part not in found:
            raise KeyError(f"${{{expression}}}")
        found = found[part]
    return found


def _stage(name: str, tree: dict[str, Any]) -> Stage:
    params: list[tuple[str, tuple[str, ...]]] = []
    for entry in tree.get("params", []):
        pairs = entry.items() if isinstance(entry, dict) else [("params.yaml", [entry])]
        params += [(file, tuple(keys or ())) for file, keys in pairs]
    outs = [path for part in ("outs", "metrics", "plots") for path in _paths(tree.get(part, []))]
    cmd = tree["cmd"]
    return Stage(
        name=name,
        cmd=" && ".join(cmd) if isinstance(cmd, list) else cmd,
        deps=tuple(_paths(tree.get("deps", []))),
        outs=tuple(outs),
        params=tuple(params),
        desc=" ".join(str(tree.get("desc", "")).split()),
    )


def _paths(entries: list[Any]) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else str(entry) for entry in entries]

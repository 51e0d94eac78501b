"""Where Eq 4 looks under other settings: pointing and crop recall, one setting changed at a time.

A probe needs no training, so these switches are compared on the maps alone, for every record of a
benchmark that has a box or a mask. What the windows are worth to an answer is `windows`' to say.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomag.config import Profile, override
from geomag.data.benchmarks import Granularity
from geomag.data.by_image import by_image
from geomag.data.records import Record
from geomag.evaluate.predict import crop_quality
from geomag.experiments.pool import paired
from geomag.experiments.windows import wanted_of
from geomag.inference.probes import AttentionProbe
from geomag.magcrop.heat_cache import HeatCache
from geomag.metrics.bootstrap import Resampling
from geomag.model.geomag import GeoMag

Floats = NDArray[np.float64]
Change = tuple[str, str, Any]
"""One changed setting: section, name, value."""
WINDOW_RULES: tuple[Change, ...] = (
    ("magcrop", "gamma", 0.0),
    ("magcrop", "gamma", 0.25),
    ("magcrop", "gamma", 0.5),
    ("magcrop", "gamma", 1.0),
    ("magcrop", "delta", "cell"),
    ("magcrop", "delta", "half"),
    ("magcrop", "rule", "vicrop"),
    ("magcrop", "margin", 0.25),
)
PROBES: tuple[Change, ...] = (
    ("magcrop", "weights", "current"),
    ("magcrop", "weights", "base"),
    ("magcrop", "loss", "log_p"),
    ("magcrop", "loss", "ce_literal"),
    ("magcrop", "loss", "logit"),
    ("prompt", "probe", "task"),
    ("prompt", "probe", "short"),
    ("prompt", "probe", "where"),
)


def changes(profile: Profile, n_layers: int) -> list[Change]:
    """Every layer, probe and window rule that differs from the profile's own."""
    own = profile.magcrop.layer % n_layers
    layers = [("magcrop", "layer", layer) for layer in range(n_layers) if layer != own]
    others = [
        (section, name, value)
        for section, name, value in (*PROBES, *WINDOW_RULES)
        if getattr(getattr(profile, section), name) != value
    ]
    return [*layers, *others]


def compare_probes(
    model: GeoMag,
    profile: Profile,
    root: Path,
    records: Sequence[Record],
    *,
    cache: Callable[[Profile], HeatCache | None] = lambda _: None,
    log: Callable[[str], None],
) -> dict[str, Any]:
    """The profile's own settings, and each change beside them.

    Args:
        model: With its adapter, which ``weights: current`` looks through.
        profile: Its settings.
        root: Folder of the pictures.
        records: Of one benchmark; those without a target are left out.
        cache: Maps that are known already, by profile.
        log: Told each row.
    """
    shown = [r for r in by_image(records) if r.masks or r.boxes]
    images = [record.image for record in shown]
    resampling = Resampling(profile.score.resamples, profile.score.seed)
    own = _measured(model, profile, root, shown, cache)
    rows = [_row("profile", own, own, images, resampling)]
    log(line(rows[-1]))
    n_layers = len(model.vlm.language_model.layers)
    for section, name, value in changes(profile, n_layers):
        other = override(profile, **{section: {name: value}})
        found = _measured(model, other, root, shown, cache)
        rows.append(_row(f"{section}.{name}: {value}", found, own, images, resampling))
        log(line(rows[-1]))
    return {"bench": "looking", "benchmark": shown[0].benchmark, "n": len(shown), "rows": rows}


def _measured(
    model: GeoMag,
    profile: Profile,
    root: Path,
    records: Sequence[Record],
    cache: Callable[[Profile], HeatCache | None],
) -> dict[str, Floats]:
    """Pointing and crop recall of each record, and the window's side as a share of min(W, H)."""
    probe = AttentionProbe(model, profile, cache(profile))
    size, rows = profile.predict.batch, []
    for start in range(0, len(records), size):
        part = records[start : start + size]
        wanted = wanted_of(part, root, profile, Granularity.REGION)  # C_1 alone is compared
        for record, found in zip(part, probe.find(wanted), strict=True):
            quality = crop_quality(record, found)
            side = max(found.boxes[0].width, found.boxes[0].height) if found.boxes else np.nan
            share = side / min(record.width, record.height)
            rows.append((quality["pointing"], quality["crop_recall"], share))
    pointing, recall, share = np.array(rows, dtype=np.float64).T
    return {"pointing": pointing, "crop_recall": recall, "side": share}


def _row(
    label: str,
    found: dict[str, Floats],
    own: dict[str, Floats],
    images: list[str],
    resampling: Resampling,
) -> dict[str, Any]:
    """Pointing and crop recall under one setting, and what each gains over the profile's own."""
    row: dict[str, Any] = {"setting": label, "side": float(np.nanmean(found["side"]))}
    for name in ("pointing", "crop_recall"):
        gap = paired(found[name], own[name], images, resampling)
        row[name] = float(found[name].mean())
        row[f"{name}_difference"] = [gap.value, gap.low, gap.high]
    return row


def line(row: dict[str, Any]) -> str:
    """Row printed to the terminal."""
    shown = []
    for name in ("pointing", "crop_recall"):
        gap, low, high = row[f"{name}_difference"]
        shown.append(f"{name} {row[name]:.3f} ({gap:+.3f} [{low:+.3f}, {high:+.3f}])")
    return f"{row['setting']:<26} {'  '.join(shown)}  side {row['side']:.2f}"

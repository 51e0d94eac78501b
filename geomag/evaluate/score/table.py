"""A score as text for the terminal."""

from typing import Any


def arms_of(scores: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The scores in a file by arm, further test splits by arm and split.

    The file itself is the score of the ``magcrop`` arm; ``arms`` and ``splits`` stand inside it.
    """
    arms = {"magcrop": scores, **scores.get("arms", {})}
    splits = {
        f"{arm} {split}": score
        for arm, content in arms.items()
        for split, score in content.get("splits", {}).items()
    }
    return {**arms, **splits}


def table(arm: str, found: dict[str, Any]) -> str:
    """One arm on one split as text: metric, value, interval, baselines, n."""
    counts, floors = found["counts"], found["baselines"]
    lines = [
        f"{found['benchmark']} {found['split']}, {arm}: {found['n_records']} records, "
        f"{counts['images']} images, {counts['missing']} missing, {counts['unparsed']} unparsed",
        f"{'metric':<22}{'value':>8}  {'95 % interval':<18}"
        + "".join(f"{name:>{_wide(name)}}" for name in floors),
    ]
    for name, value in found["metrics"].items():
        pair = found["intervals"].get(name)
        between = f"[{pair[0]:.4f}, {pair[1]:.4f}]" if pair else "-"
        beside = "".join(f"{_number(row.get(name)):>{_wide(b)}}" for b, row in floors.items())
        lines.append(f"{name:<22}{_number(value):>8}  {between:<18}{beside}")
    if counts["missing_over_limit"]:
        lines.append("More predictions are missing than the protocol allows: do not report this.")
    if "sample" in found["protocol"].get("model_profile", ""):
        lines.append("A toy's scores (profile sample): not to be set beside published ones.")
    return "\n".join(lines) + "\n"


def _wide(name: str) -> int:
    return max(10, len(name) + 2)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"

"""Settings and commands that had another name: whoever wrote the old one is told the new one."""

from collections.abc import Mapping

SETTINGS: Mapping[str, str] = {
    "magcrop.answer": "magcrop.answer_selection",
    "train.turns": "train.questions",
}
"""Old to new, as ``section.key``."""

VALUES: Mapping[tuple[str, str], str] = {
    ("magcrop.answer", "surer"): "confidence",
    ("magcrop.answer_selection", "surer"): "confidence",
}
"""New value by the name of the setting, old or new, and the old value."""

COMMANDS: Mapping[str, str] = {
    "bench windows": "experiment windows",
    "bench keeping": "experiment selection",
    "bench looking": "experiment probe",
    "bench budgets": "experiment budgets",
    "bench pool": "experiment pool",
    "bench 4k": "experiment 4k",
}
"""Old to new, behind ``geomag``."""


def renamed_setting(section: str, key: str, value: object) -> str | None:
    """What to write instead of a setting of an old name, or with an old value; None if neither.

    >>> renamed_setting("magcrop", "answer", "surer")
    'magcrop.answer_selection: confidence'
    >>> renamed_setting("train", "turns", 8), renamed_setting("train", "lr", 0.1)
    ('train.questions: 8', None)
    """
    name = f"{section}.{key}"
    new_value = VALUES.get((name, value)) if isinstance(value, str) else None
    if name not in SETTINGS and new_value is None:
        return None
    return f"{SETTINGS.get(name, name)}: {value if new_value is None else new_value}"

"""Ranges that several sections share."""

LEAST_BUDGET = 16
"""Visual tokens with which the whole image, C_1 and C_2 get at least one each."""


def positive(section: str, **values: float) -> None:
    """Raise ValueError unless every value is above 0."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{section}.{name} must be > 0, got {value}")


def share(section: str, **values: float) -> None:
    """Raise ValueError unless every value is in [0, 1]."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{section}.{name} must be in [0, 1], got {value}")


def token_budget(section: str, **values: int) -> None:
    """Raise ValueError unless every view can have a token within each value."""
    for name, value in values.items():
        if value < LEAST_BUDGET:
            raise ValueError(
                f"{section}.{name} {value} leaves a view without a token: at least {LEAST_BUDGET}"
            )

"""Ranges that several sections share."""


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

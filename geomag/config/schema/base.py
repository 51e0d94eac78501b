"""What all settings have in common: frozen, no unknown name, no value of another type or range."""

from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Strict

T = TypeVar("T")

Share = Annotated[float, Field(ge=0, le=1)]
Portion = Annotated[float, Field(gt=0, le=1)]
"""A share that is not nothing."""
Several = Annotated[tuple[T, ...], Strict(False)]
"""Any number of values; YAML has them as a list."""
Pair = Annotated[tuple[T, T], Strict(False)]
"""Two values; YAML has them as a list."""

LEAST_BUDGET = 16
"""Visual tokens with which the whole image, C_1 and C_2 get at least one each."""


class Settings(BaseModel):
    """Settings that belong together; a value is taken as it is or refused, never converted."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,  # "8" and true are no whole numbers; 8 is also a number with a point
        allow_inf_nan=False,
    )

    def changed(self, **values: Any) -> Self:
        """A copy with some settings changed, all of them checked again."""
        return type(self).model_validate({**dict(self), **values})


def token_budget(section: str, **values: int) -> None:
    """Raise ValueError unless every view can have a token within each value."""
    for name, value in values.items():
        if value < LEAST_BUDGET:
            raise ValueError(
                f"{section}.{name} {value} leaves a view without a token: at least {LEAST_BUDGET}"
            )

"""What a training takes is refused before it is spent where it does not fit."""

import pytest

from geomag.errors import ConfigError
from geomag.model.footprint import Footprint


def test_an_update_must_fit_beside_the_loaded_weights_and_its_checkpoints_on_the_disk():
    counted = Footprint(frozen=15_000, trained=1600, activations=400)
    assert counted.on_disk == 3 * 1200  # 12 bytes a parameter of the 16, three checkpoints
    counted.check(free=2000, free_on_disk=3600)
    with pytest.raises(ConfigError, match=r"train\.micro_batch.*gradient_checkpointing"):
        counted.check(free=1999, free_on_disk=3600)
    with pytest.raises(ConfigError, match="room for them on that disk"):
        counted.check(free=2000, free_on_disk=3599)

from collections.abc import Callable

import pytest

from geomag.sample.draw.categories import DIOR, LAND_USE
from geomag.sample.draw.scene import Scene, draw_objects
from geomag.seeds import generator

SIDE = 224  # half size keeps the suite fast; every rule is in shares of the side


@pytest.fixture(scope="session")
def many_scenes() -> dict[str, list[Scene]]:
    """150 scenes of each family of classes."""
    families = {"dior": (tuple(DIOR), (3, 7)), "land use": (tuple(LAND_USE), (6, 14))}
    return {
        name: [
            draw_objects(
                generator("test scenes", name, k),
                width=SIDE,
                height=SIDE,
                n_objects=number,
                categories=pool,
            )
            for k in range(150)
        ]
        for name, (pool, number) in families.items()
    }


@pytest.fixture(scope="session")
def every_scene(many_scenes) -> list[Scene]:
    return [scene for scenes in many_scenes.values() for scene in scenes]


@pytest.fixture(scope="session")
def make_object() -> Callable:
    """An object with a square mask, for scenes written by hand."""
    import numpy as np

    from geomag.data.wording import place_word
    from geomag.geometry import PixelBox
    from geomag.sample.draw.canvas import polygons_of
    from geomag.sample.draw.scene import SceneObject

    def make(category, x, y, *, colour="", size="", side=10, canvas=90):
        mask = np.zeros((canvas, canvas), bool)
        mask[y : y + side, x : x + side] = True
        box = PixelBox(x, y, x + side, y + side)
        return SceneObject(
            category=category,
            colour=colour,
            size=size,
            place=place_word(box, width=canvas, height=canvas),
            mask=mask,
            box=box,
            polygons=polygons_of(mask),
        )

    return make


@pytest.fixture(scope="session")
def make_scene() -> Callable:
    import numpy as np

    def make(*objects, canvas=90):
        return Scene(
            image=np.zeros((canvas, canvas, 3), np.uint8),
            objects=objects,
            ground="grass",
            kind="objects",
        )

    return make

import cv2
import numpy as np
import pytest

from geomag.sample.draw.places import PLACE_KINDS, draw_place, place_of
from geomag.seeds import generator


def names(text):
    return text.split()


AID = names(
    """
    Airport BareLand BaseballField Beach Bridge Center Church Commercial DenseResidential
    Desert Farmland Forest Industrial Meadow MediumResidential Mountain Park Parking Playground
    Pond Port RailwayStation Resort River School SparseResidential Square Stadium StorageTanks
    Viaduct
    """
)
RESISC45 = names(
    """
    airplane airport baseball_diamond basketball_court beach bridge chaparral church
    circular_farmland cloud commercial_area dense_residential desert forest freeway golf_course
    ground_track_field harbor industrial_area intersection island lake meadow
    medium_residential mobile_home_park mountain overpass palace parking_lot railway
    railway_station rectangular_farmland river roundabout runway sea_ice ship snowberg
    sparse_residential stadium storage_tank tennis_court terrace thermal_power_station wetland
    """
)
UCM = names(
    """
    agricultural airplane baseballdiamond beach buildings chaparral denseresidential forest
    freeway golfcourse harbor intersection mediumresidential mobilehomepark overpass parkinglot
    river runway sparseresidential storagetanks tenniscourt
    """
)
SYDNEY = names(
    """
    residential airport meadow rivers ocean industrial runway
    """
)


@pytest.mark.parametrize(("names", "count"), [(AID, 30), (RESISC45, 45), (UCM, 21), (SYDNEY, 7)])
def test_every_class_of_a_set_has_a_drawing_of_its_own(names, count):
    kinds = {place_of(name) for name in names}
    assert len(names) == len(kinds) == count
    assert kinds <= set(PLACE_KINDS)


def test_no_drawing_is_without_a_class():
    assert {place_of(n) for n in (*AID, *RESISC45, *UCM, *SYDNEY)} == set(PLACE_KINDS)


def test_an_unknown_class_is_named():
    with pytest.raises(KeyError, match="Volcano"):
        place_of("Volcano")


def thumbnails(seed):
    rows = []
    for kind in PLACE_KINDS:
        scene = draw_place(generator("look", kind, seed), kind, width=128, height=128)
        assert scene.kind == kind
        grey = cv2.resize(scene.image, (4, 4), interpolation=cv2.INTER_AREA).astype(float)
        fine = cv2.resize(scene.image, (32, 32), interpolation=cv2.INTER_AREA).astype(float)
        edges = np.abs(np.diff(fine, axis=0)).mean(), np.abs(np.diff(fine, axis=1)).mean()
        spread = fine.reshape(-1, 3).std(axis=0)
        rows.append(np.concatenate([grey.reshape(-1, 3).mean(axis=0), spread, edges]))
    return np.array(rows)


def test_kinds_look_different():
    """Eight colour and edge statistics and a nearest-mean rule name far more than chance (2 %)."""
    train = np.stack([thumbnails(seed) for seed in range(4)])
    scale = train.std(axis=(0, 1))
    means = train.mean(axis=0) / scale
    test = thumbnails(99) / scale
    nearest = np.linalg.norm(test[:, None] - means[None], axis=2).argmin(axis=1)
    assert (nearest == np.arange(len(PLACE_KINDS))).mean() > 0.35


@pytest.mark.parametrize("size", [(256, 256), (500, 400)])
def test_pictures_have_the_size_asked_for_and_exact_masks(size):
    width, height = size
    scene = draw_place(generator("size"), "harbor", width=width, height=height)
    assert scene.image.shape == (height, width, 3)
    assert sum(o.category == "ship" for o in scene.objects) > 20
    for item in scene.objects:
        canvas = np.zeros((height, width), np.uint8)
        cv2.fillPoly(canvas, [np.array(p, np.int32) for p in item.polygons], 1)
        assert (canvas.astype(bool) == item.mask).all()

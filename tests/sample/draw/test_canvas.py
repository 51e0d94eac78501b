import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from geomag.sample.draw.canvas import Canvas, Sprite, Stroke, polygons_of
from geomag.sample.draw.outlines import rectangle


def filled(polygons, shape):
    canvas = np.zeros(shape, np.uint8)
    for polygon in polygons:  # OR of filled polygons, as GeoPixelD is read
        cv2.fillPoly(canvas, [np.array(polygon, np.int32)], 1)
    return canvas.astype(bool)


@settings(max_examples=150, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_polygons_of_any_mask_fill_to_that_mask(mask):
    assert (filled(polygons_of(mask), mask.shape) == mask).all()


def test_a_ring_is_cut_into_polygons_without_a_hole():
    ring = np.ones((9, 9), bool)
    ring[3:6, 3:6] = False
    polygons = polygons_of(ring)
    assert len(polygons) >= 2
    assert (filled(polygons, ring.shape) == ring).all()


def square(rgb=(200, 0, 0), strokes=()):
    return Sprite(outline=(rectangle(1, 1),), rgb=rgb, strokes=strokes)


def blank():
    return Canvas(np.zeros((20, 20, 3), np.uint8), "grass")


def test_a_later_object_takes_the_pixels_it_covers():
    canvas = blank()
    first = canvas.footprint(square(), x=6, y=6, length=8)
    second = canvas.footprint(square((0, 0, 200)), x=10, y=6, length=8)
    canvas.stamp(first, category="ship", colour="red")
    # both are 9 x 9 pixels (ends included) and share 5 columns
    assert canvas.covered(second) == {0: 45}
    canvas.stamp(second, category="dam")
    assert canvas.items[0].area == 81
    assert np.count_nonzero(canvas.visible(0)) == 36
    assert np.count_nonzero(canvas.visible(1)) == 81
    assert (canvas.image[6, 8] == (0, 0, 200)).all()


def test_scenery_never_covers_an_object():
    canvas = blank()
    spot = canvas.footprint(square(), x=10, y=10, length=6)
    canvas.stamp(spot, category="ship")
    canvas.stamp(canvas.footprint(square((1, 2, 3)), x=10, y=10, length=16))
    assert (canvas.image[10, 10] == (200, 0, 0)).all()
    assert (canvas.image[3, 3] == (1, 2, 3)).all()
    assert len(canvas.items) == 1


def test_strokes_stay_inside_the_silhouette():
    wide = Stroke(rectangle(3, 0.2), (9, 9, 9))
    canvas = blank()
    canvas.stamp(canvas.footprint(square(strokes=(wide,)), x=10, y=10, length=6), category="dam")
    assert (canvas.image[canvas.labels == 0] == 0).all()
    assert (canvas.image[10, 10] == 9).all()


def test_a_footprint_outside_the_picture_is_none():
    assert blank().footprint(square(), x=50, y=5, length=6) is None

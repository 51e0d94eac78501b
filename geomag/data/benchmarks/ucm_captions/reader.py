"""UCM-Captions: pictures in UC Merced's order of classes."""

from geomag.data.benchmarks.captions import Captions
from geomag.data.benchmarks.ucm_captions.spec import UCM_CLASSES


def class_of(number: int) -> str:
    """Class of a picture by its number, from 1.

    >>> class_of(100), class_of(101)
    ('agricultural', 'airplane')
    """
    return UCM_CLASSES[(number - 1) // 100]


READER = Captions("ucm_captions", "ucm", 2_100, class_of)

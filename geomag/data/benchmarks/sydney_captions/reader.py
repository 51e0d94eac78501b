"""Sydney-Captions: pictures in class order."""

from bisect import bisect_left

from geomag.data.benchmarks.captions import Captions
from geomag.data.benchmarks.sydney_captions.spec import SYDNEY_LAST


def class_of(number: int) -> str:
    """Class of a picture by its number, from 1.

    >>> class_of(242), class_of(243)
    ('residential', 'airport')
    """
    return list(SYDNEY_LAST)[bisect_left(list(SYDNEY_LAST.values()), number)]


READER = Captions("sydney_captions", "sydney", 613, class_of)

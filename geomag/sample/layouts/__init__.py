"""Writers of the drawn sample in the ten real download layouts."""

from geomag.sample.layouts.plan import PLANS, REVISION
from geomag.sample.layouts.write import Written, write_all, write_sample

__all__ = ["PLANS", "REVISION", "Written", "write_all", "write_sample"]

"""Writers of the drawn sample in the ten real download layouts."""

from geomag.data.sample.plan import PLANS, REVISION
from geomag.data.sample.write import Written, tree_digest, write_all, write_sample

__all__ = ["PLANS", "REVISION", "Written", "tree_digest", "write_all", "write_sample"]

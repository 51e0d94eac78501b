"""Writers of the drawn sample in the ten real download layouts."""

"""The public face in Python: `GeoMag`, `GeoMagProcessor`, `GeoMagDataset` and `Answer`.

Import them from `geomag` itself, which loads them when they are first named.
"""

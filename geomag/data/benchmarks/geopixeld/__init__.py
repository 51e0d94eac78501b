"""GeoPixelD."""

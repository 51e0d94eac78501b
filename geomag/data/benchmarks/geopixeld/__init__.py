"""GeoPixelD: facts, reader and merger."""

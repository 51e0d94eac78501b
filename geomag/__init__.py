"""GeoMag: a vision-language model that answers, locates and segments in remote-sensing images."""

__version__ = "0.1.0"

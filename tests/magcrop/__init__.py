"""Tests of geomag.magcrop."""

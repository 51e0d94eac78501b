"""Tests of geomag.evaluate."""

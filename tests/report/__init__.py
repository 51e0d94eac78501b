"""Tests of geomag.report."""

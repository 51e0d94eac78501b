"""Tracking against a real MLflow store."""

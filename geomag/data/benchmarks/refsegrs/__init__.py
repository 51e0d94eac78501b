"""RefSegRS."""

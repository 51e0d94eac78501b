"""RRSIS-D."""

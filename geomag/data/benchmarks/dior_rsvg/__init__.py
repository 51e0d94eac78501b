"""DIOR-RSVG."""

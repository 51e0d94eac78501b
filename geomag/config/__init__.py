"""Typed settings: frozen dataclasses, loaded once from a profile, checked and digested."""

from geomag.config.load import (
    flat_params,
    load_profile,
    override,
    parse_profile,
    profile_digest,
    profile_text,
    project_root,
)
from geomag.config.schema import Profile

__all__ = [
    "Profile",
    "flat_params",
    "load_profile",
    "override",
    "parse_profile",
    "profile_digest",
    "profile_text",
    "project_root",
]

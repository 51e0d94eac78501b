"""One small trained project for all tests of the front door."""

import pytest

from geomag import GeoMag
from tests.ask.models import write_project


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    profile = write_project(root)
    (root / "params.yaml").write_text(f"profile: {profile}\n")
    return root


@pytest.fixture(scope="session")
def model(project):
    return GeoMag.from_pretrained(project)

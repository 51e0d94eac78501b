"""`push_to_hub` and back with the hub's own client, against a hub on this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.api.hub import running_hub
from tests.ask.models import ONE

pytestmark = pytest.mark.integration
PUSH_AND_BACK = """
import json, sys
from geomag import GeoMag
models, picture, prompt = sys.argv[1:]
own = GeoMag.from_pretrained(models, device="cpu")
url = own.push_to_hub("somebody/geomag", base_model="somebody/llava", token="hf_secret")
again = own.push_to_hub("somebody/geomag", base_model="somebody/llava", token="hf_secret")
back = GeoMag.from_pretrained("somebody/geomag", device="cpu")
answer = back.ask(picture, prompt)
row = {**answer.to_dict(), "url": url, "again": again, "folder": str(back.folder)}
print(json.dumps(row))
"""


def test_a_model_goes_to_the_hub_and_answers_alike_when_it_comes_back(project, model, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    picture = tmp_path / "a.png"
    Image.fromarray(pixels).save(picture)
    with running_hub() as hub:
        environment = {
            **os.environ,
            "HF_ENDPOINT": hub.url,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",  # the hub's second storage, which has servers of its own
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HOME": str(tmp_path / "home"),
        }
        done = subprocess.run(
            [sys.executable, "-c", PUSH_AND_BACK, str(project), str(picture), ONE],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout.splitlines()[-1])
        assert said["url"] == said["again"] == f"{hub.url}/somebody/geomag"
        assert hub.visible == {"somebody/geomag": "private"}
        files = hub.files["somebody/geomag"]
        assert "Bearer hf_secret" in hub.tokens
    assert Path(said["folder"]).is_relative_to(tmp_path / "home")
    assert {"profile.yaml", "adapter/tokenizer.json", "decoder/decoder.safetensors"} <= set(files)
    assert not any(name.endswith((".py", ".bin", ".pkl")) for name in files)
    config = json.loads(files["adapter/adapter_config.json"])
    assert config["base_model_name_or_path"] == "somebody/llava"
    wanted = model.ask(picture, ONE).to_dict()
    for key in ("text", "raw_text", "masks", "windows", "granularity", "confidence"):
        assert said[key] == wanted[key], key

"""`from geomag import GeoMag`: the trained model with its classifiers, asked about any picture."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomag.api.answer import Answer
from geomag.api.picture import read_picture
from geomag.ask.notes import parts_line
from geomag.config import Profile, load_profile, override, profile_text, project_root
from geomag.data.benchmarks import Granularity
from geomag.errors import GeoMagError, WeightsError
from geomag.inference.inspect import probe_heat
from geomag.inference.output import Arm
from geomag.inference.pipeline import PARTS, Pipeline
from geomag.inference.prompt import read_prompt
from geomag.inference.question import Question
from geomag.io import read_json, write_json
from geomag.manifest import publish, read_manifest, resolve_path, write_manifest
from geomag.model.assemble import load_prompt_classifier, trained_as
from geomag.model.geomag import GeoMag as GeoMagNetwork

PROFILE = "profile.yaml"
_SAFE = ("*.safetensors", "*.json", "*.yaml", "*.md", "*.txt", "*.model", "*.jinja")
"""Kinds of file that a download may hold: none that could run code."""


class GeoMag(GeoMagNetwork):
    """The network, its prompt classifier and its settings, ready to be asked.

    It is an ordinary `torch.nn.Module`; `from_pretrained` makes one.
    """

    pipeline: Pipeline
    """The one path from prompt and picture to answer."""
    folder: Path
    """Folder that its parts were read from."""

    @classmethod
    def from_pretrained(
        cls, source: str | Path, *, device: str = "auto", dtype: str | None = None
    ) -> "GeoMag":
        """Load a trained model.

        Args:
            source: Folder of the parts (``artifacts/models`` of a project, or what
                `save_pretrained` wrote), a project's own folder, or a repository of the hub.
            device: ``auto`` takes a GPU if there is one; else ``cpu`` or ``cuda``.
            dtype: ``float32`` or ``bfloat16`` of the language model; None: as it was trained.

        Raises:
            WeightsError: If a part is missing, half-written or of another base, or the hub has no
                such repository.
        """
        models = _models_folder(source)
        changes: dict[str, Any] = {"device": device}
        if dtype is not None:
            changes["vlm"] = {"dtype": dtype}
        profile = override(_profile_of(models), **changes)
        model = trained_as(cls, models, profile)
        model.folder = models
        model.pipeline = Pipeline(
            model,
            load_prompt_classifier(models, profile),
            profile,
            versions={part: str(read_manifest(models / part)["digest"]) for part in PARTS},
        )
        return model

    def ask(
        self, image: Any, prompt: str, *, bands: Sequence[int] = (), magcrop: bool = True
    ) -> Answer:
        """Ask one prompt about one picture, seen whole.

        Args:
            image: Path of a JPEG, PNG or GeoTIFF; PIL image; ``uint8 [H, W, 3]``; open rasterio
                dataset.
            prompt: A question or an instruction, in any words.
            bands: One or three of a raster's bands, from 1; empty: its own colours.
            magcrop: Whether to look closer where the prompt asks for it.

        Raises:
            ImageError: If the picture cannot be read or is too large to be seen whole.
            GeoMagError: If nothing is asked.
        """
        asked = self.pipeline.fit(read_prompt(prompt))
        picture = read_picture(image, bands)
        arm: Arm = "magcrop" if magcrop else "plain"
        (outcome,) = self.pipeline.run([Question(picture.pixels, asked)], arm=arm)
        return Answer(
            output=self.pipeline.output(outcome),
            asked=outcome.prepared.question.prompt,
            image=picture.pixels,
            grid=picture.grid,
            model=parts_line(self.pipeline.versions),
        )

    def heatmap(self, image: Any, prompt: str, *, bands: Sequence[int] = ()) -> NDArray[np.float32]:
        """Map ``[gh, gw]`` of where the language model looks for a prompt (Eq 4).

        It is computed whatever the settings choose windows by (``magcrop.probe``). Arguments and
        errors are those of `ask`.
        """
        asked = self.pipeline.fit(read_prompt(prompt))
        pixels = read_picture(image, bands).pixels
        return probe_heat(self.pipeline, pixels, asked, Granularity.REGION).first

    def save_pretrained(self, folder: str | Path, *, base_model: str | None = None) -> None:
        """Write the parts and the settings, for `from_pretrained` and for stock libraries.

        The adapter's folder has the tokenizer and names its base, so
        ``AutoPeftModelForCausalLM.from_pretrained(folder / "adapter")`` and
        ``AutoTokenizer.from_pretrained(folder / "adapter")`` open it.

        Args:
            folder: New or empty; appears whole or not at all.
            base_model: Folder or hub id of the language model that the adapter is for; None: the
                folder that it was loaded from.

        Raises:
            GeoMagError: If something lies there already.
        """
        out = Path(folder)
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise GeoMagError(str(out), "something lies there", "a new or empty folder")
        with publish(out) as fresh:
            for part in PARTS:
                shutil.copytree(self.folder / part, fresh / part)
            self._complete_adapter(fresh / "adapter", base_model or str(self._base_folder()))
            (fresh / PROFILE).write_text(profile_text(self.pipeline.profile), encoding="utf-8")

    def push_to_hub(
        self, repo_id: str, *, base_model: str, private: bool = True, token: str | None = None
    ) -> str:
        """Save to a repository of the Hugging Face hub, made if it is not there; returns its URL.

        Args:
            repo_id: ``owner/name``.
            base_model: Hub id of the language model that the adapter is for.
            private: Whether a new repository is seen by its owner alone.
            token: Of the hub; None: the one that ``hf auth login`` keeps.
        """
        from huggingface_hub import HfApi

        api = HfApi(token=token)
        url = api.create_repo(repo_id, private=private, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "model"
            self.save_pretrained(folder, base_model=base_model)
            api.upload_folder(repo_id=repo_id, folder_path=folder, allow_patterns=list(_SAFE))
        return str(url)

    def _base_folder(self) -> Path:
        """Folder of the language model itself, which the adapter is applied to."""
        own = self.folder / "base" / "vlm"
        return (own if own.is_dir() else resolve_path(self.pipeline.profile.vlm.path)).resolve()

    def _complete_adapter(self, adapter: Path, base_model: str) -> None:
        facts = read_manifest(adapter)
        self.vlm.tokenizer.save_pretrained(adapter)
        config = read_json(adapter / "adapter_config.json")
        config["base_model_name_or_path"] = base_model
        write_json(adapter / "adapter_config.json", config)
        kept = {key: value for key, value in facts.items() if key not in ("digest", "files")}
        write_manifest(adapter, **kept)


def _models_folder(source: str | Path) -> Path:
    """The folder of the parts that a name stands for, fetched from the hub if it is no folder."""
    folder = Path(source)
    if folder.is_dir():
        inner = folder / "artifacts" / "models"
        return inner if inner.is_dir() else folder
    if isinstance(source, Path) or source.count("/") != 1 or source.startswith((".", "/", "~")):
        raise WeightsError(
            str(source), "no such folder", "a folder of models, or a hub repository owner/name"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, allow_patterns=list(_SAFE)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as failed:
        raise WeightsError(
            str(source),
            f"neither a folder here nor to be had from the hub ({type(failed).__name__})",
            "a folder of models, or a hub repository owner/name",
        ) from failed


def _profile_of(models: Path) -> Profile:
    """Settings of the parts: their own file, else those of the project around them."""
    own = models / PROFILE
    if own.is_file():
        return load_profile(str(own))
    return load_profile(root=project_root(models))

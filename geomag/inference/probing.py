"""Run the Eq 4 probe over records: C_1 on the image, C_2 on the crop (paper 3.2.2)."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from geomag.config.schema import Profile
from geomag.data.benchmarks import Granularity
from geomag.data.prompts import frame
from geomag.geometry import PixelBox
from geomag.io import file_digest, value_digest
from geomag.magcrop.compose import RgbImage, crop
from geomag.magcrop.crops import Heat, first_window
from geomag.magcrop.heat_cache import HeatCache, Map
from geomag.magcrop.heatmap import ProbeInputs, probe
from geomag.magcrop.tiles import merge_tiles
from geomag.magcrop.views import ImageView
from geomag.magcrop.window import WindowRule, build_window_rule
from geomag.manifest import read_manifest
from geomag.model.large import probed_tiles
from geomag.model.prefix import distinct, pack_shared
from geomag.model.vision import cut, visual_tokens
from geomag.model.vlm import Vlm
from geomag.model.weights import load_base

AT_ONCE = 32
_CODE = (probe, frame, visual_tokens, ImageView, pack_shared, Vlm, load_base)
"""A map made by other code is another map."""


@dataclass(frozen=True, slots=True)
class Probed:
    """An image and the question that decides where to look in it."""

    image: RgbImage
    prompt: str
    """Question before framing, in the probe's wording."""
    granularity: Granularity


def window_rule(profile: Profile) -> WindowRule:
    """The window rule of a profile."""
    return build_window_rule(profile.magcrop, base_px=profile.vlm.image_px)


def heat_cache(folder: Path, models: Path, profile: Profile) -> HeatCache:
    """The cache of maps that these weights and settings give; any number of them share a folder."""
    settings = profile.magcrop
    parts = ("base",) if settings.weights == "base" else ("base", "adapter")
    weights = [read_manifest(models / part)["digest"] for part in parts]
    vlm = profile.vlm
    side = settings.probe_px or vlm.image_px
    asked = [settings.layer, settings.loss, side, vlm.patch_px, vlm.dtype]
    code = [file_digest(Path(inspect.getfile(part))) for part in (*_CODE, probe_all)]
    return HeatCache(folder, {"weights": weights, "probe": asked, "code": code})


def heat_facts(models: Path, profile: Profile) -> dict[str, str]:
    """Digests of what a record's maps are made from, as the crops stage stores them.

    Returns:
        ``base``: weights; ``probe``: what decides the first map beside them; ``windows``: the rule
        that decides what the second map is of.
    """
    settings, vlm, words = profile.magcrop, profile.vlm, profile.prompt
    large = [settings.large_px, settings.large_probe, settings.tile_px]
    asked = [settings.layer, settings.loss, settings.weights, settings.probe_px]
    seen = [vlm.image_px, vlm.patch_px, vlm.dtype]
    said = [words.probe, words.scene, words.box_decimals]
    return {
        "base": str(read_manifest(models / "base")["digest"]),
        "probe": value_digest([asked, large, seen, said]),
        "windows": value_digest(asdict(window_rule(profile))),
    }


def probe_all(
    vlm: Vlm, queries: Sequence[Probed], profile: Profile, cache: HeatCache | None = None
) -> Iterator[Heat]:
    """Heatmaps of each query in order, in batches; adapters are off unless ``weights: current``.

    Queries in a row that share an image (the same array) share its reading.
    """
    for start in range(0, len(queries), AT_ONCE):
        part = queries[start : start + AT_ONCE]
        first = [Heat(one) for one in _first_maps(vlm, part, profile, cache)]
        yield from with_second(vlm, part, first, profile, cache)


def with_second(
    vlm: Vlm,
    queries: Sequence[Probed],
    heat: Sequence[Heat],
    profile: Profile,
    cache: HeatCache | None = None,
) -> Iterator[Heat]:
    """Known first maps with the second ones that these settings ask for, in order and in batches.

    A pixel-level query has a second map, of its own C_1; one that is known stays where it is of
    that window, and is probed again where it is not (another window rule has stored it).
    """
    rule = window_rule(profile)
    for start in range(0, len(queries), AT_ONCE):
        part, known = queries[start : start + AT_ONCE], heat[start : start + AT_ONCE]
        outer: dict[int, PixelBox] = {}
        for index, query in enumerate(part):
            height, width = query.image.shape[:2]
            window = first_window(known[index], width=width, height=height, rule=rule)
            if query.granularity is Granularity.PIXEL and window is not None:
                outer[index] = window.box
        asked = [index for index, box in outer.items() if known[index].box != box]
        crops = [(crop(part[i].image, outer[i]), part[i].prompt) for i in asked]
        probed = zip(asked, _maps_once(vlm, crops, profile, cache).numpy(), strict=True)
        second = {i: known[i].second for i in outer} | dict(probed)
        for index, one in enumerate(known):
            yield Heat(one.first, second.get(index), outer.get(index))


def _first_maps(
    vlm: Vlm, queries: Sequence[Probed], profile: Profile, cache: HeatCache | None
) -> list[Map]:
    """A map over each image; a large one's is merged from its tiles, whose cells are finer."""
    cut_once: dict[tuple[int, PixelBox], RgbImage] = {}
    asked: list[tuple[RgbImage, str]] = []
    grids = []
    for query in queries:
        boxes = probed_tiles(query.image, profile)
        grids.append((len({box.y0 for box in boxes}), len({box.x0 for box in boxes})))
        for box in boxes:
            key = (id(query.image), box)
            if key not in cut_once:
                cut_once[key] = query.image if len(boxes) == 1 else crop(query.image, box)
            asked.append((cut_once[key], query.prompt))
    parts = [
        one
        for start in range(0, len(asked), AT_ONCE)
        for one in _maps_once(vlm, asked[start : start + AT_ONCE], profile, cache).numpy()
    ]
    found = []
    for rows, columns in grids:
        tiles, parts = parts[: rows * columns], parts[rows * columns :]
        found.append(merge_tiles(tiles, rows=rows, columns=columns).astype(np.float32))
    return found


def _maps_once(
    vlm: Vlm,
    asked: Sequence[tuple[RgbImage, str]],
    profile: Profile,
    cache: HeatCache | None,
) -> Tensor:
    """Maps as `_maps` makes them, from the cache where it knows the whole batch.

    A batch is computed whole or not at all: a row's last bits depend on its batch, and a stage that
    was stopped must end with the same bytes.
    """
    if cache is None or not asked:
        return _maps(vlm, asked, profile)
    keys = cache.keys(asked)
    known = [found for key in keys if (found := cache.get(key)) is not None]
    if len(known) == len(keys):
        return torch.from_numpy(np.stack(known))
    maps = _maps(vlm, asked, profile)
    for key, one in zip(keys, maps, strict=True):
        cache.put(key, one.numpy())
    return maps


@torch.no_grad()
def _maps(vlm: Vlm, asked: Sequence[tuple[RgbImage, str]], profile: Profile) -> Tensor:
    """``[B, grid, grid]`` fp32 on the CPU."""
    side = profile.magcrop.probe_px or profile.vlm.image_px
    grid = side // profile.vlm.patch_px
    if not asked:
        return torch.zeros(0, grid, grid)
    device = vlm.device
    firsts, owners = distinct([id(image) for image, _ in asked])
    pixels = torch.stack(
        [cut(torch.from_numpy(asked[i][0]), ImageView(None, side)) for i in firsts]
    )
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=device).expand(len(firsts), -1)
    settings = profile.magcrop
    context = vlm.base_weights() if settings.weights == "base" else torch.no_grad()
    with context:
        visual = list(visual_tokens(vlm.llava.model, pixels.to(device), whole))
        prompts = [vlm.prompt_ids(prompt) for _, prompt in asked]
        packed = pack_shared(vlm, prompts, visual, owners)
        found = probe(
            vlm,
            ProbeInputs(packed.embeds, packed.image_columns, packed.mask, packed.past),
            grid=(grid, grid),
            layer=settings.layer,
            loss=settings.loss,
        )
    return found.cpu()

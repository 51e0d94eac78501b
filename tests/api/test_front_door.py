"""`from geomag import GeoMag`: loads, asks, shows, keeps, and goes through stock peft."""

import json
import subprocess
import sys
from dataclasses import replace

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
import torch
from PIL import Image
from rasterio.crs import CRS
from safetensors.torch import load_file, save_file

from geomag import Answer, GeoMag, GeoMagDataset, GeoMagProcessor
from geomag.ask.answer import ask_image
from geomag.ask.drawing import with_heat
from geomag.ask.notes import plain_text
from geomag.ask.options import AskOptions
from geomag.ask.scene import Grid
from geomag.ask.vectors import COLUMNS
from geomag.config.load import load_profile
from geomag.data.benchmarks import Split, Task
from geomag.data.records import Record
from geomag.errors import GeoMagError, ImageError, WeightsError
from geomag.geometry import PixelBox, decode_mask, encode_mask
from geomag.inference.output import DrawnMask, PipelineOutput
from geomag.inference.pipeline import Pipeline
from geomag.inference.prompt import Prompt
from tests.ask.models import NAMES, NONE, ONE, THREE
from tests.ask.rasters import AT, UTM, write_tif

pytestmark = pytest.mark.integration
PIXELS = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)


def test_importing_geomag_loads_nothing_heavy():
    code = "import geomag, sys; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_name_that_is_not_there_is_refused_as_python_does():
    import geomag

    with pytest.raises(AttributeError, match="no attribute 'GeoMags'"):
        _ = geomag.GeoMags
    assert {"Answer", "GeoMag", "load_profile"} <= set(dir(geomag))


def test_the_answer_is_that_of_the_one_path(project, model):
    profile = load_profile(str(project / "tiny.yaml"))
    pipeline = Pipeline.load(project / "artifacts" / "models", profile)
    output, answer = pipeline.ask(PIXELS, ONE), model.ask(PIXELS, ONE)
    assert isinstance(answer, Answer)
    assert (answer.raw_text, answer.text) == (output.text, plain_text(output.text))
    assert np.array_equal(answer.masks[0], output.masks[0].pixels)
    assert answer.phrases == ("the red ship",)
    assert answer.windows == output.crop_boxes
    assert (answer.granularity, answer.task, answer.prompt) == ("pixel", "referring", ONE)
    assert answer.confidence == answer.mask_scores[0]
    assert answer.heatmap.shape == (4, 4)
    assert answer.visual_tokens == 16
    assert {"look", "vision", "language", "masks"} == set(answer.seconds)


def test_the_map_of_a_prompt_is_that_of_its_answer_and_is_drawn_over_the_picture(model):
    answer, heat = model.ask(PIXELS, ONE), model.heatmap(PIXELS, ONE)
    assert np.allclose(heat, answer.heatmap, atol=1e-6)
    assert np.array_equal(np.asarray(answer.plot_heatmap(heat)), with_heat(PIXELS, heat))
    plain = model.ask(PIXELS, ONE, magcrop=False)
    with pytest.raises(GeoMagError, match="nothing was probed for this answer"):
        plain.plot_heatmap()


def test_a_question_gets_its_wording_and_words(model):
    answer = model.ask(PIXELS, NONE)
    assert answer.text == "no"
    assert answer.prompt == f"{NONE}\nAnswer with a single word or short phrase."
    assert (answer.task, answer.masks) == ("vqa", ())
    assert 0 < answer.confidence <= 1
    assert model.ask(PIXELS, NONE, magcrop=False).heatmap is None


def test_the_models_own_tokens_are_not_in_the_text(model):
    answer = model.ask(PIXELS, THREE)
    assert answer.phrases == NAMES
    assert answer.text == " and ".join(NAMES)
    assert "[SEG]" in answer.raw_text


def test_every_form_of_a_picture_is_answered_alike(model, tmp_path):
    tif = write_tif(tmp_path / "a.tif", PIXELS.transpose(2, 0, 1))
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    forms = [PIXELS, Image.fromarray(PIXELS), str(tmp_path / "a.png"), tif]
    with rasterio.open(tif) as dataset:
        answers = [model.ask(form, ONE) for form in (*forms, dataset)]
    for answer in answers:
        assert answer.raw_text == answers[0].raw_text
        assert np.array_equal(answer.masks[0], answers[0].masks[0])
    assert answers[-1].grid.transform == AT
    assert answers[0].grid is None


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4), np.uint8), "uint8 4 x 4"),
        (PIXELS.astype(np.float32), "float32 90 x 120 x 3"),
        (7, "a int"),
    ],
)
def test_what_is_no_picture_is_refused(model, image, message):
    with pytest.raises(ImageError, match=message):
        model.ask(image, ONE)


def test_an_answer_is_shown_and_kept_whole(model, tmp_path):
    tif = write_tif(tmp_path / "a.tif", PIXELS.transpose(2, 0, 1))
    answer = model.ask(tif, ONE)
    (mask,) = answer.masks
    assert mask.any()
    shown = np.asarray(answer.plot())
    assert shown.shape == PIXELS.shape
    outside = ~mask
    for box in answer.windows:
        x0, y0, x1, y1 = box.as_ints()
        outside[y0:y1, x0:x1] = False
    assert np.array_equal(shown[outside], PIXELS[outside])
    assert not np.array_equal(shown[mask], PIXELS[mask])
    answer.save(tmp_path / "kept")
    row = json.loads((tmp_path / "kept" / "answer.json").read_text())
    assert np.array_equal(decode_mask(row["masks"][0]), mask)
    assert row["task"] == "referring"
    with rasterio.open(tmp_path / "kept" / "mask.tif") as raster:
        assert raster.transform == AT
        assert np.array_equal(raster.read(1) == 1, mask)
    with pytest.raises(GeoMagError, match="something lies there"):
        answer.save(tmp_path / "kept")


def test_objects_are_pieces_of_masks_with_their_pixels_on_the_ground():
    mask, chance = np.zeros((6, 8), dtype=bool), np.full((6, 8), 255, dtype=np.uint8)
    mask[1:3, 1:4] = True
    mask[4:6, 6:8] = True
    chance[4:6, 6:8] = 51
    output = PipelineOutput("[SEG]", (DrawnMask("ship", 0.7, mask, chance),))
    image = np.zeros((6, 8, 3), np.uint8)
    plain = Answer(output=output, asked=Prompt("Mark it.", "ship"), image=image, model="base:b1")
    frame = plain.to_geodataframe()
    assert list(frame.columns) == [*COLUMNS, "geometry"]
    assert frame[["id", "mask", "phrase", "area_px"]].to_numpy().tolist() == [
        [1, 1, "ship", 6],
        [2, 1, "ship", 4],
    ]
    assert frame.score.tolist() == [1.0, 0.2]
    assert frame.area_m2.isna().all()
    assert frame.crs is None
    assert frame.geometry[0].equals(shapely.box(1, 1, 4, 3))
    placed = replace(plain, grid=Grid(8, 6, AT, CRS.from_string(UTM))).to_geodataframe()
    assert placed.crs.to_epsg() == 32631
    assert placed.area_m2.tolist() == [6 * 0.25, 4 * 0.25]
    assert placed.area.tolist() == placed.area_m2.tolist()
    assert AT @ (1, 1) in placed.geometry[0].exterior.coords


def test_the_table_of_an_answer_is_the_layer_that_ask_writes(project, model, tmp_path):
    tif = write_tif(tmp_path / "a.tif", PIXELS.transpose(2, 0, 1))
    answer = model.ask(tif, ONE)
    options = AskOptions(min_area_px=1, pictures=False)
    ask_image(model.pipeline, tif, ONE, tmp_path / "out", options, log=lambda _: None)
    layer = geopandas.read_file(tmp_path / "out" / "objects.gpkg", fid_as_index=True).reset_index()
    frame = answer.to_geodataframe()
    assert len(frame)
    assert frame.geometry.geom_equals(layer.geometry).all()
    for column in ("phrase", "score", "area_px", "area_m2", "prompt", "model"):
        assert frame[column].tolist() == layer[column].tolist(), column


def test_a_saved_model_answers_alike_and_is_never_written_over(model, tmp_path):
    model.save_pretrained(tmp_path / "saved")
    again = GeoMag.from_pretrained(tmp_path / "saved", device="cpu", dtype="float32")
    first, second = model.ask(PIXELS, ONE), again.ask(PIXELS, ONE)
    assert np.array_equal(first.masks[0], second.masks[0])
    with pytest.raises(GeoMagError, match="something lies there"):
        model.save_pretrained(tmp_path / "saved")


def test_stock_peft_on_stock_llava_has_the_logits_of_the_saved_model(model, tmp_path):
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoTokenizer

    folder = tmp_path / "saved"
    model.save_pretrained(folder)
    weights = folder / "adapter" / "adapter_model.safetensors"
    draw = torch.Generator().manual_seed(0)  # a fresh adapter's LoRA is zero and changes nothing
    moved = {
        k: v + 0.1 * torch.randn(v.shape, generator=draw) for k, v in load_file(weights).items()
    }
    save_file(moved, weights, metadata={"format": "pt"})
    ours = GeoMag.from_pretrained(folder, device="cpu", dtype="float32")
    adapter = str(folder / "adapter")
    stock = AutoPeftModelForCausalLM.from_pretrained(adapter, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(adapter)
    assert tokenizer.convert_tokens_to_ids("[SEG0]") == ours.seg_ids[0]
    ids = [5, *[ours.vlm.image_id] * 16, *tokenizer(ONE)["input_ids"], *ours.seg_ids]
    inputs = {
        "input_ids": torch.tensor([ids]),
        "attention_mask": torch.ones(1, len(ids), dtype=torch.long),
        "pixel_values": torch.randn(1, 3, 56, 56, generator=draw),
    }
    with torch.no_grad():
        wanted, said = ours.vlm.llava(**inputs).logits, stock(**inputs).logits
        with ours.vlm.base_weights():
            base = ours.vlm.llava(**inputs).logits
    assert torch.allclose(said, wanted, atol=1e-4)
    assert not torch.allclose(base, wanted, atol=1e-1)


def test_the_network_holds_plain_values_and_no_profile(model):
    assert not hasattr(model, "profile")
    assert model.sam.precision == model.pipeline.profile.encoder.precision


def test_where_there_is_no_model_the_message_says_what_was_looked_for(tmp_path):
    with pytest.raises(WeightsError, match=r"no such folder.*hub repository owner/name"):
        GeoMag.from_pretrained(tmp_path / "absent")
    with pytest.raises(WeightsError, match=r"neither a folder here nor to be had from the hub"):
        GeoMag.from_pretrained("nobody/nothing")  # the tests are offline


def test_the_processor_gives_what_the_network_reads(model):
    inputs = GeoMagProcessor(model)(PIXELS, NONE)
    assert inputs.prompt.task is Task.VQA
    assert inputs.input_ids.tolist() == model.vlm.prompt_ids(inputs.prompt.text)
    assert [tuple(p.shape) for p in inputs.pixel_values] == [
        (3, view.side_px, view.side_px) for view in inputs.views
    ]
    assert inputs.encoder_values.shape == (3, 64, 64)
    (answer,) = model.answer([inputs.query], max_new_tokens=8)
    assert answer.text == model.ask(PIXELS, NONE).raw_text


def test_a_dataset_gives_tensors_and_batches_them(tmp_path):
    mask = np.zeros((90, 120), dtype=bool)
    mask[4:9, 2:7] = True
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    base = {"split": Split.TEST, "image": "a.png", "width": 120, "height": 90}
    records = [
        Record(
            benchmark="rrsis_d", id="1", task=Task.REFERRING, text="a ship",
            masks=(encode_mask(mask),), boxes=(PixelBox(2, 4, 7, 9),), **base,
        ),
        Record(benchmark="rsvqa_lr", id="2", task=Task.VQA, text="Is it?", answers=("no",), **base),
    ]  # fmt: skip
    dataset = GeoMagDataset(records, tmp_path)
    batch = next(
        iter(torch.utils.data.DataLoader(dataset, batch_size=2, collate_fn=dataset.collate))
    )
    assert torch.equal(batch["image"][0], torch.from_numpy(PIXELS).permute(2, 0, 1))
    assert np.array_equal(batch["masks"][0][0].numpy(), mask)
    assert batch["masks"][1].shape == (0, 90, 120)
    assert batch["boxes"][0].tolist() == [[2, 4, 7, 9]]
    assert batch["prompt"][0] == "Mark a ship in this image with a mask."
    assert batch["answers"] == [(), ("no",)]

"""The laptop's trainings side by side on a borrowed GPU, without DVC, Dagster or MLflow.

    python scripts/laptop_seeds.py PROJECT --seeds 5 6 7 --arms plain magcrop --out FOLDER

PROJECT holds ``data/ucm_captions`` and ``artifacts/records/ucm_captions`` (`geomag data validate`).
The base is made once; every training is a process of its own and leaves, under FOLDER,
``<name>.tar`` with its adapter and decoder, ``<name>.jsonl`` with its losses, and
``<name>-val.jsonl`` and ``<name>-test.jsonl``, which `geomag score` rates. The same code and
settings as ``geomag train base``, ``geomag train model`` and ``geomag predict``, but for
``--set section.key=value``. Nothing is fetched.
"""

import argparse
import json
import multiprocessing
import tarfile
import time
from pathlib import Path

import yaml

from geomag.config import Profile, load_profile, override
from geomag.data.benchmarks import Granularity, Split
from geomag.data.images import read_rgb
from geomag.data.prompts import PROMPT_VERSION, evaluation_prompt
from geomag.data.records import read_records
from geomag.io import write_jsonl

BENCHMARK = "ucm_captions"
RECORDS = f"artifacts/records/{BENCHMARK}/records.jsonl"


def with_settings(profile: Profile, settings: list[str]) -> Profile:
    """The profile with ``section.key=value`` settings, values read as YAML."""
    for setting in settings:
        name, _, value = setting.partition("=")
        section, _, key = name.partition(".")
        profile = override(profile, **{section: {key: yaml.safe_load(value)}})
    return profile


def log(line: str) -> None:
    """Print at once: whoever waits for a borrowed machine wants to see."""
    print(line, flush=True)


def make_base(project: Path, profile: Profile) -> None:
    """The composed VLM with its projector taught, under ``artifacts/models/base``."""
    from geomag.train.projector import make_composed_base

    begun = time.monotonic()
    make_composed_base(
        profile,
        project / "artifacts" / "models" / "base",
        project / "work" / "base",
        root=project,
        code={},
        log=log,
    )
    log(f"base: {time.monotonic() - begun:.0f} s")


def train_and_answer(project: Path, name: str, profile: Profile, out: Path) -> None:
    """One training in a folder of its own, and its captions of the val and test pictures."""
    from geomag.train.model import identity, train_model

    begun, own = time.monotonic(), project / "trainings" / name
    (own / "artifacts" / "models").mkdir(parents=True, exist_ok=True)
    for inner in ("data", "artifacts/records", "artifacts/models/base"):
        if not (own / inner).exists():
            (own / inner).symlink_to((project / inner).resolve())
    with (out / f"{name}.jsonl").open("w") as losses:
        train_model(
            profile,
            own,
            inputs=identity(profile, own, {}),
            log=lambda line: log(f"{name}: {line}"),
            on_metrics=lambda step, means: losses.write(json.dumps({"step": step, **means}) + "\n"),
        )
    trained = time.monotonic()
    with tarfile.open(out / f"{name}.tar", "w") as tar:
        for part in ("adapter", "decoder"):
            tar.add(own / "artifacts" / "models" / part, f"models/{part}")
    for split in (Split.VAL, Split.TEST):
        write_jsonl(out / f"{name}-{split.value}.jsonl", captions(own, profile, split))
    log(f"{name}: trained {trained - begun:.0f} s, answered {time.monotonic() - trained:.0f} s")


def captions(project: Path, profile: Profile, split: Split) -> list[dict[str, str]]:
    """The trained model's caption of every picture of a split, seen as training saw pictures.

    The granularity classifier is not asked: a caption is about the whole image.
    """
    from geomag.model.assemble import trained
    from geomag.model.geomag import Query
    from geomag.model.model_input import magcrop_look, plain_look

    records = list(read_records(project / RECORDS, splits=[split]))
    model, rows = trained(project / "artifacts" / "models", profile), []
    for start in range(0, len(records), profile.predict.batch):
        part, queries = records[start : start + profile.predict.batch], []
        for record in part:
            image = read_rgb(project / "data" / BENCHMARK / record.image)
            is_plain = profile.train.arm == "plain"
            look = (
                plain_look(image, profile)
                if is_plain
                else magcrop_look(image, Granularity.IMAGE, (), profile)
            )
            queries.append(Query(look, evaluation_prompt(record), record.height, record.width))
        answers = model.answer(queries, max_new_tokens=profile.predict.max_new_tokens)
        rows += [
            {"id": r.id, "text": a.text, "prompt_version": PROMPT_VERSION, "profile": profile.name}
            for r, a in zip(part, answers, strict=True)
        ]
    return rows


def main() -> None:
    """Read the options, make the base, and train what is asked for side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--profile", default="laptop")
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 6, 7])
    parser.add_argument("--arms", nargs="+", default=["plain", "magcrop"])
    parser.add_argument("--set", dest="settings", nargs="*", default=[])
    parser.add_argument("--also", action="append", default=[], metavar="NAME:SETTING,SETTING")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    profile = with_settings(load_profile(given.profile), given.settings)
    if not (given.project / "artifacts" / "models" / "base" / "complete.json").is_file():
        make_base(given.project, profile)
    trainings = {
        f"{arm}-{seed}": override(profile, train={"arm": arm, "seed": seed})
        for arm in given.arms
        for seed in given.seeds
    }
    for variant in given.also:
        name, _, settings = variant.partition(":")
        trainings[name] = with_settings(profile, settings.split(","))
    context = multiprocessing.get_context("spawn")
    jobs = [
        context.Process(target=train_and_answer, args=(given.project, name, own, given.out))
        for name, own in trainings.items()
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    log(f"exit codes {[job.exitcode for job in jobs]}")


if __name__ == "__main__":
    main()

"""The laptop's trainings side by side on a borrowed GPU, without DVC, Dagster or MLflow.

    python scripts/laptop_seeds.py PROJECT --out FOLDER --seeds 5 6 7 --variant lr:train.lr=1.0e-3

PROJECT holds ``data/ucm_captions`` and ``artifacts/records/ucm_captions`` (`geomag data validate`).
The base is made once. Then every variant of the profile is trained with the first seed, and the
one with the best CIDEr on the validation split with all seeds, on full pictures (``plain``) and on
those of 100 x 100 (``magcrop``, Eq 2). A training is a process of its own and leaves
``<name>.jsonl`` with its losses and ``<name>-val.jsonl`` and ``<name>-test.jsonl``, which
`geomag score` rates, in ``results.tar``; the best variant's adapters lie beside it. Code and
settings are those of ``geomag train base``, ``geomag train model`` and ``geomag predict``. Nothing
is fetched.
"""

import argparse
import json
import multiprocessing
import shutil
import tarfile
import time
from pathlib import Path
from typing import Any

import yaml

from geomag.config import Profile, load_profile, override
from geomag.data.benchmarks import Granularity, Split
from geomag.data.images import read_rgb
from geomag.data.prompts import PROMPT_VERSION, evaluation_prompt
from geomag.data.records import read_records
from geomag.io import read_jsonl, write_jsonl
from geomag.metrics.caption import tokenise
from geomag.metrics.cider import cider_d

BENCHMARK = "ucm_captions"
RECORDS = f"artifacts/records/{BENCHMARK}/records.jsonl"


def with_settings(profile: Profile, settings: list[str]) -> Profile:
    """The profile with ``section.key=value`` settings, values read as YAML."""
    sections: dict[str, Any] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        section, _, key = name.partition(".")
        if key:
            sections.setdefault(section, {})[key] = yaml.safe_load(value)
        else:
            sections[section] = yaml.safe_load(value)
    return override(profile, **sections)


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
            on_metrics=lambda step, means: print(json.dumps({"step": step, **means}), file=losses),
        )
    trained = time.monotonic()
    for part in ("adapter", "decoder"):
        with tarfile.open(out / f"{name}-{part}.tar", "w") as tar:
            tar.add(own / "artifacts" / "models" / part, f"models/{part}")
    for split in (Split.VAL, Split.TEST):
        write_jsonl(out / f"{name}-{split.value}.jsonl", captions(own, profile, split))
    log(f"{name}: trained {trained - begun:.0f} s, answered {time.monotonic() - trained:.0f} s")


def captions(project: Path, profile: Profile, split: Split) -> list[dict[str, str]]:
    """The trained model's caption of every picture of a split, seen as training saw pictures.

    The granularity classifier is not asked: a caption is about the whole image.
    """
    from geomag.model.assemble import trained
    from geomag.model.model_input import magcrop_input, plain_input
    from geomag.model.query import Query

    records = list(read_records(project / RECORDS, splits=[split]))
    model, rows = trained(project / "artifacts" / "models", profile), []
    for start in range(0, len(records), profile.predict.batch):
        part, queries = records[start : start + profile.predict.batch], []
        for record in part:
            image = read_rgb(project / "data" / BENCHMARK / record.image)
            is_plain = profile.train.arm == "plain"
            model_input = (
                plain_input(image, profile)
                if is_plain
                else magcrop_input(image, Granularity.IMAGE, (), profile)
            )
            queries.append(
                Query(model_input, evaluation_prompt(record), record.height, record.width)
            )
        answers = model.answer(queries, max_new_tokens=profile.predict.max_new_tokens)
        rows += [
            {"id": r.id, "text": a.text, "prompt_version": PROMPT_VERSION, "profile": profile.name}
            for r, a in zip(part, answers, strict=True)
        ]
    return rows


def cider(project: Path, said: Path, split: Split) -> float:
    """CIDEr x 100 of an answer file; without Java the words are cut more simply."""
    records = list(read_records(project / RECORDS, splits=[split]))
    answers, _ = tokenise([row["text"] for row in read_jsonl(said)])
    words, _ = tokenise([text for record in records for text in record.answers])
    references, start = [], 0
    for record in records:
        references.append(words[start : start + len(record.answers)])
        start += len(record.answers)
    return float(100 * cider_d(answers, references).mean())


def side_by_side(project: Path, trainings: dict[str, Profile], out: Path) -> None:
    """Train all at once, each in a process of its own; print what they score."""
    context = multiprocessing.get_context("spawn")
    jobs = {
        name: context.Process(target=train_and_answer, args=(project, name, profile, out))
        for name, profile in trainings.items()
    }
    for job in jobs.values():
        job.start()
    for name, job in jobs.items():
        job.join()
        if job.exitcode:
            log(f"{name}: exit code {job.exitcode}")
            continue
        found = [
            cider(project, out / f"{name}-{s.value}.jsonl", s) for s in (Split.VAL, Split.TEST)
        ]
        log(f"{name}: CIDEr val {found[0]:.1f}, test {found[1]:.1f}")


def main() -> None:
    """Read the options, make the base, choose a variant on the validation split, train it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--profile", default="laptop")
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 6, 7])
    parser.add_argument("--set", dest="settings", nargs="*", default=[])
    parser.add_argument("--variant", action="append", default=[], metavar="NAME:SETTING,SETTING")
    given = parser.parse_args()
    project, work = given.project, given.project / "results"
    work.mkdir(parents=True, exist_ok=True)
    given.out.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    profile = with_settings(load_profile(given.profile), given.settings)
    if not (project / "artifacts" / "models" / "base" / "complete.json").is_file():
        make_base(project, profile)
    variants = {"profile": profile}
    for text in given.variant:
        name, _, settings = text.partition(":")
        variants[name] = with_settings(profile, settings.split(","))
    first, *others = given.seeds
    side_by_side(
        project, {f"{n}-plain-{first}": _of(v, "plain", first) for n, v in variants.items()}, work
    )
    on_val = {
        name: cider(project, path, Split.VAL)
        for name in variants
        if (path := work / f"{name}-plain-{first}-val.jsonl").is_file()
    }
    best = max(on_val, key=lambda name: on_val[name])
    log(f"best on the validation split: {best}; {time.monotonic() - begun:.0f} s so far")
    shutil.copy(work / f"{best}-plain-{first}-decoder.tar", given.out)  # captions train no decoder
    bring_back(work, given.out, [f"{best}-plain-{first}"])
    rest = [("plain", seed) for seed in others] + [("magcrop", seed) for seed in given.seeds]
    side_by_side(
        project,
        {f"{best}-{arm}-{seed}": _of(variants[best], arm, seed) for arm, seed in rest},
        work,
    )
    bring_back(work, given.out, [f"{best}-plain-{seed}" for seed in given.seeds])
    log(f"all: {time.monotonic() - begun:.0f} s")


def bring_back(work: Path, out: Path, names: list[str]) -> None:
    """Leave in ``out`` what there is by now: all answers and losses, the adapters of ``names``."""
    for name in names:
        shutil.copy(work / f"{name}-adapter.tar", out)
    with tarfile.open(out / "results.tar", "w") as tar:
        for path in sorted(work.glob("*.jsonl")):
            tar.add(path, path.name)


def _of(profile: Profile, arm: str, seed: int) -> Profile:
    return override(profile, train={"arm": arm, "seed": seed})


if __name__ == "__main__":
    main()

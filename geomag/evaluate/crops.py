"""The crops stage: Eq 4 heatmaps of every record that training and evaluation need."""

from pathlib import Path

from geomag.config.schema import Profile
from geomag.data.benchmarks import BENCHMARKS
from geomag.data.by_image import by_image, read_each_once
from geomag.data.selection import probed_records
from geomag.inference.probing import Probed, heat_cache, heat_facts, probe_all
from geomag.inference.prompt import record_prompt
from geomag.magcrop.crops import Heat, write_heat
from geomag.manifest import publish
from geomag.model.weights import load_base
from geomag.progress import track

AT_A_TIME = 128
"""Images held in memory."""


def make_crops(
    benchmark: str,
    profile: Profile,
    *,
    data: Path,
    artifacts: Path,
    work: Path,
) -> int:
    """Probe the records that training and evaluation use; returns their number.

    Args:
        benchmark: Of region or pixel level.
        profile: Probe, window rule, prompt wording.
        data: Folder of the benchmarks.
        artifacts: Folder of the stages' outputs.
        work: Resumable state: maps by content, so that a stopped stage goes on.
    """
    base = artifacts / "models" / "base"
    vlm, _ = load_base(base, profile)
    path = artifacts / "records" / benchmark / "records.jsonl"
    settings, words = BENCHMARKS[benchmark], profile.prompt
    records = by_image(probed_records(settings, path, profile))
    out = artifacts / "crops" / benchmark
    cache = heat_cache(work / "heat", artifacts / "models", profile)
    heat: dict[str, Heat] = {}
    with track(f"crops {benchmark}", len(records)) as progress:
        for start in range(0, len(records), AT_A_TIME):
            part = records[start : start + AT_A_TIME]
            queries = [
                Probed(image, record_prompt(record, words).probe(words.probe), settings.granularity)
                for image, record in zip(read_each_once(data / benchmark, part), part, strict=True)
            ]
            maps = probe_all(vlm, queries, profile, cache)
            for record, of_record in zip(part, maps, strict=True):
                heat[record.id] = of_record
                progress.advance()
    with publish(out) as folder:
        write_heat(
            folder,
            heat,
            facts=heat_facts(artifacts / "models", profile),
        )
    return len(records)

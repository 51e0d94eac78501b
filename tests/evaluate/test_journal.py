"""Rows on the disk as they are made: what is kept, dropped and refused; shards joined again."""

import json

import pytest

from geomag.errors import ConfigError, PredictionError, ResumeError
from geomag.evaluate.predictions.journal import Head, open_journal, read_journal
from geomag.evaluate.predictions.plan import Shard, plan_batches
from geomag.evaluate.predictions.shards import merge_shards
from geomag.io import read_jsonl

BATCHES = [[1, 0], [4, 2], [3, 5]]
HEAD = Head({"code": "c0de", "commit": "abc", "settings": "s", "adapter": "a"}, n_records=6)


def row(index):
    return {"id": f"{index}", "text": "é" * index}


class Died(Exception):
    pass


def write(path, *, head=HEAD, batches=BATCHES, until=None, said=None):
    """Predict the batches that are not known; returns those that were computed."""
    computed = []
    with open_journal(path, head, batches, (said if said is not None else []).append) as journal:
        for batch in batches:
            if journal.rows.keys() >= set(batch):
                continue
            if len(computed) == until:
                raise Died
            journal.add(batch, map(row, batch))
            computed.append(batch)
        path.write_bytes(b"".join(journal.contents()))
    return computed


def left_after(path, until):
    with pytest.raises(Died):
        write(path, until=until)
    return path.with_name(f".{path.name}.partial")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "plain.jsonl"


def test_rows_stand_in_order_whatever_the_batches_and_the_journal_goes(out):
    assert write(out) == BATCHES
    assert list(read_jsonl(out)) == [row(index) for index in range(6)]
    assert list(out.parent.iterdir()) == [out]


def test_whole_batches_are_kept_and_the_rest_is_made(out):
    journal = left_after(out, until=2)
    assert [path.name for path in out.parent.iterdir()] == [journal.name]
    said = []
    assert write(out, said=said) == BATCHES[2:]
    assert said == ["4 rows are known already, 0 are made again"]
    assert [r["id"] for r in read_jsonl(out)] == list("012345")


@pytest.mark.parametrize("torn", [b"", b"4", b'4\t{"id"', b'4\t{"id": "4"}\n2\t{"i', b"\0" * 40])
def test_a_batch_that_was_cut_is_made_again(out, torn):
    journal = left_after(out, until=1)
    journal.write_bytes(journal.read_bytes() + torn)
    assert write(out) == BATCHES[1:]
    assert list(read_jsonl(out)) == [row(index) for index in range(6)]


def test_rows_of_other_settings_or_weights_are_dropped_with_a_word(out):
    left_after(out, until=2)
    said = []
    other = Head({**HEAD.identity, "settings": "t", "adapter": "b", "code": "x"}, n_records=6)
    assert write(out, head=other, said=said) == BATCHES
    assert said == ["4 rows of another adapter, code, settings are dropped"]


def test_rows_of_other_code_are_refused_and_kept(out):
    journal = left_after(out, until=2)
    before = journal.read_bytes()
    other = Head({**HEAD.identity, "code": "ed1ted", "commit": "def"}, n_records=6)
    with pytest.raises(ResumeError) as refused:
        write(out, head=other)
    assert str(refused.value) == (
        f"{journal}: made by code c0de of commit abc. Wanted: code ed1ted of commit def, which is "
        f"what would run now. Remedy: go back to that code to resume, or remove {journal} to "
        "start over"
    )
    assert journal.read_bytes() == before
    assert write(out) == BATCHES[2:]


def test_another_commit_of_the_same_code_goes_on(out):
    left_after(out, until=2)
    assert write(out, head=Head({**HEAD.identity, "commit": "def"}, n_records=6)) == BATCHES[2:]


def test_an_error_before_the_first_row_leaves_nothing(out):
    with pytest.raises(Died):
        write(out, until=0)
    assert list(out.parent.iterdir()) == []


def test_something_else_under_the_name_is_no_journal(out):
    out.with_name(f".{out.name}.partial").write_text('{"id": "half a line')
    assert write(out) == BATCHES


def test_a_shard_says_what_it_is_and_others_are_refused():
    assert [Shard(i, 3).share(BATCHES[:2]) for i in (1, 2, 3)] == [[], [BATCHES[0]], [BATCHES[1]]]
    for wrong in ("", "2", "0/2", "3/2", "1/x", "-1/2", "1/2/3"):
        with pytest.raises(ConfigError, match="Wanted: i/n with 1 <= i <= n"):
            Shard.parse(wrong)


def test_batches_hold_each_record_once_and_full_ones_one_image():
    images = [f"{index // 7}" for index in range(40)]
    lengths = [(index * 37) % 11 for index in range(40)]
    batches = plan_batches(images, lengths, size=4)
    assert sorted(index for batch in batches for index in batch) == list(range(40))
    assert [len(batch) for batch in batches] == [4] * 10
    alone = batches[:6]
    assert all(len({images[index] for index in batch}) == 1 for batch in alone)
    longest = [max(lengths[index] for index in batch) for batch in batches[6:]]
    assert longest == sorted(longest)


def shards(folder, count):
    """Finished shards of all batches, as files."""
    made = []
    for number in range(1, count + 1):
        shard = Shard(number, count)
        path = folder / f"plain.{number}-of-{count}.shard"
        batches = shard.share(BATCHES)
        with open_journal(path, Head(HEAD.identity, 6, shard), batches, print) as journal:
            for batch in batches:
                journal.add(batch, map(row, batch))
            journal.finish(path)
        made.append(path)
    return made


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_shards_in_any_order_give_the_bytes_of_one_pass(tmp_path, out, count):
    write(out)
    joined = tmp_path / "joined.jsonl"
    assert merge_shards(shards(tmp_path, count)[::-1], joined) == 6
    assert joined.read_bytes() == out.read_bytes()


def test_missing_and_double_shards_are_named(tmp_path):
    one, two, three = shards(tmp_path, 3)
    with pytest.raises(PredictionError, match=r"no shard 2/3, 3/3\. Wanted: all 3 shards\. Remedy"):
        merge_shards([one], tmp_path / "out")
    again = tmp_path / "copy.shard"
    again.write_bytes(two.read_bytes())
    with pytest.raises(PredictionError, match=r"copy.shard: shard 2/3, which .*2-of-3.* is"):
        merge_shards([one, two, three, again], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_shards_of_different_things_are_not_joined(tmp_path):
    one, two = shards(tmp_path, 2)
    (tmp_path / "three").mkdir()
    other = shards(tmp_path / "three", 3)[1]
    with pytest.raises(PredictionError, match=r"another division \(2/3, and .* is 1/2\)"):
        merge_shards([one, other], tmp_path / "out")
    head, _, rows = two.read_bytes().partition(b"\n")
    tree = json.loads(head)
    tree["identity"]["adapter"] = "b"
    two.write_bytes(json.dumps(tree).encode() + b"\n" + rows)
    with pytest.raises(PredictionError, match=r"2-of-2.shard: of another adapter"):
        merge_shards([one, two], tmp_path / "out")


@pytest.mark.parametrize("keep", [0, 40, -1])
def test_a_cut_shard_is_refused(tmp_path, keep):
    one, two = shards(tmp_path, 2)
    two.write_bytes(two.read_bytes()[:keep])
    with pytest.raises(PredictionError, match=r"2-of-2.shard: (no shard|not whole after)"):
        merge_shards([one, two], tmp_path / "out")


def test_a_predictions_file_is_no_shard(out):
    write(out)
    with pytest.raises(PredictionError, match=r"plain.jsonl: no shard of predictions"):
        read_journal(out)

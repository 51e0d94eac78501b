"""The restricted unpickler: plain values pass, a foreign global never runs."""

import os
import pickle
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomag.data.unpickle import load_plain_pickle
from geomag.errors import AnnotationError, UnsafePickleError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_f16_a_foreign_global_is_refused_and_does_not_run(tmp_path):
    canary = tmp_path / "canary"
    path = tmp_path / "refs(unc).p"
    path.write_bytes(pickle.dumps([{"ref_id": 1}, Canary(canary)]))
    with pytest.raises(UnsafePickleError, match=r"asks for (posix|os)\.mkdir"):
        load_plain_pickle(path)
    assert not canary.exists()
    pickle.loads(path.read_bytes())
    assert canary.exists(), "the pickle was armed"


def test_even_a_harmless_class_is_refused(tmp_path):
    path = tmp_path / "refs.p"
    path.write_bytes(pickle.dumps(OrderedDict(a=1)))
    with pytest.raises(UnsafePickleError, match=r"collections\.OrderedDict"):
        load_plain_pickle(path)


def test_an_outside_object_is_refused(tmp_path):
    path = tmp_path / "refs.p"
    path.write_bytes(b"Pthe_pid\n.")
    with pytest.raises(UnsafePickleError, match="the_pid"):
        load_plain_pickle(path)


def test_text_of_python_2_is_read_as_latin_1_when_ascii_fails(tmp_path):
    path = tmp_path / "refs.p"
    path.write_bytes(b"(lp0\nS'caf\\xe9'\np1\na.")
    assert load_plain_pickle(path) == ["café"]


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"\x80\x04]\x94(", b"\x80\x63."])
def test_what_is_no_pickle_is_named(tmp_path, content):
    path = tmp_path / "refs.p"
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match=r"refs\.p: not a readable pickle"):
        load_plain_pickle(path)


def test_a_missing_pickle_is_named(tmp_path):
    with pytest.raises(AnnotationError, match=r"absent\.p: no such file"):
        load_plain_pickle(tmp_path / "absent.p")


@given(value=PLAIN, protocol=st.integers(0, 5))
def test_plain_values_come_back_whatever_the_protocol(tmp_path_factory, value, protocol):
    path = tmp_path_factory.mktemp("plain") / "refs.p"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    assert load_plain_pickle(path) == value


@given(value=PLAIN, protocol=st.integers(0, 5), data=st.data())
def test_a_cut_pickle_is_an_error_a_user_can_read(tmp_path_factory, value, protocol, data):
    content = pickle.dumps(value, protocol=protocol)
    path = tmp_path_factory.mktemp("cut") / "refs.p"
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(AnnotationError, match="not a readable pickle"):
        load_plain_pickle(path)

"""Model files: the same bytes for the same model, and nothing but trusted types."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import FunctionTransformer

import gristmill.quality.modelfile
from gristmill.errors import LakeError
from gristmill.quality.modelfile import load_model, save_model

X = np.random.default_rng(0).normal(size=(60, 5))
Y = X[:, 0] - X[:, 1]
MODELS = {
    "ridge": lambda: Ridge(0.5).fit(X, Y),
    "forest": lambda: RandomForestRegressor(5, random_state=1).fit(X, Y),
    "logistic": lambda: LogisticRegression().fit(X, np.where(Y > 0, "up", "down")),
}


@pytest.mark.parametrize("name", MODELS)
def test_two_fits_give_the_same_bytes_and_the_same_answers(name, tmp_path):
    first, second = MODELS[name](), MODELS[name]()
    keep_alive = [bytearray(1 << 12) for _ in range(20)]  # other addresses for the second one's arrays
    a, b = save_model(first, tmp_path / "a"), save_model(second, tmp_path / "b")
    assert a.read_bytes() == b.read_bytes() and keep_alive
    loaded = load_model(a)
    assert (loaded.predict(X) == first.predict(X)).all()


def test_another_process_with_another_hash_seed_writes_the_same_bytes(tmp_path):
    code = (
        "import sys, pathlib, numpy as np\n"
        "from sklearn.ensemble import RandomForestRegressor\n"
        "from gristmill.quality.modelfile import save_model\n"
        "X = np.random.default_rng(0).normal(size=(60, 5))\n"
        "save_model(RandomForestRegressor(5, random_state=1).fit(X, X[:, 0] - X[:, 1]), pathlib.Path(sys.argv[1]))"
    )
    source_root = str(Path(gristmill.quality.modelfile.__file__).parents[2])
    elsewhere = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": source_root}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "there")], check=True, env=elsewhere)
    assert (tmp_path / "there").read_bytes() == save_model(MODELS["forest"](), tmp_path / "here").read_bytes()


def test_no_address_and_no_clock_is_left_inside(tmp_path):
    with zipfile.ZipFile(save_model(MODELS["ridge"](), tmp_path / "model")) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert all(name == "schema.json" or int(name.removesuffix(".npy")) < 1_000 for name in archive.namelist())


def test_a_type_that_is_not_trusted_is_refused(tmp_path):
    path = tmp_path / "model"
    skops.io.dump(FunctionTransformer(func=np.testing.assert_allclose), path)
    with pytest.raises(LakeError, match="not trusted"):
        load_model(path)


def test_a_file_that_is_no_model_is_named(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"not a model")
    with pytest.raises(LakeError, match="is not a model file"):
        load_model(path)

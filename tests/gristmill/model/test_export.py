"""Export: transformers loads what we write and gives our logits; layer-wise scaling says that it cannot be expressed."""

import json

import polars as pl
import pytest
import torch

from gristmill.corpus import tokenizer
from gristmill.errors import GristmillError
from gristmill.model import export
from gristmill.model.config import Config
from gristmill.model.decoder import Decoder
from gristmill.recipe import Model

MODEL = Model(hidden=64, layers=3, heads=4, kv_heads=2, ffn=160, rope_theta=5_000.0)
SCALED = MODEL.model_copy(update={"layerwise_scaling": True})


def decoder(model: Model = MODEL) -> Decoder:
    """A decoder whose norms are not all one, so that a mixed-up name shows."""
    made = Decoder(Config.of(model, 300, 64), seed=3)
    with torch.no_grad():
        for i, (name, weight) in enumerate(made.named_parameters()):
            if name.endswith("norm.weight"):
                weight.normal_(1.0, 0.2, generator=torch.Generator().manual_seed(i))
    return made.eval()


def tokens() -> torch.Tensor:
    return torch.randint(0, 300, (3, 64), generator=torch.Generator().manual_seed(1))


def test_transformers_gives_our_logits(tmp_path) -> None:
    from transformers import AutoModelForCausalLM, LlamaForCausalLM

    ours = decoder()
    export.save(ours.state_dict(), ours.config, tmp_path)
    theirs, report = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert isinstance(theirs, LlamaForCausalLM)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    with torch.no_grad():
        assert torch.allclose(theirs(tokens()).logits, ours(tokens()), atol=1e-5)
    assert sum(weight.numel() for weight in theirs.parameters()) == ours.config.parameters


def test_the_tokenizer_travels_along(tmp_path) -> None:
    from transformers import AutoTokenizer

    trained = tokenizer.train(pl.DataFrame({"doc_id": ["1"], "text": ["a mill grinds grain " * 9]}), 300)
    trained.save(tmp_path / "tokenizer")
    ours = decoder()
    export.save(ours.state_dict(), ours.config, tmp_path / "model", tmp_path / "tokenizer")
    assert AutoTokenizer.from_pretrained(tmp_path / "model")("a mill")["input_ids"] == trained.encode("a mill")


@pytest.mark.parametrize("model", [MODEL, SCALED], ids=["uniform", "scaled"])
def test_saved_and_loaded_is_the_same_decoder(tmp_path, model: Model) -> None:
    ours = decoder(model)
    export.save(ours.state_dict(), ours.config, tmp_path)
    loaded, config = export.load(tmp_path)
    assert config == ours.config
    with torch.no_grad():
        assert torch.equal(loaded(tokens()), ours(tokens()))
    export.save(loaded.state_dict(), config, tmp_path / "again")
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_layerwise_scaling_is_refused_by_name_not_loaded_as_something_else(tmp_path) -> None:
    from transformers import AutoModelForCausalLM

    ours = decoder(SCALED)
    with pytest.raises(GristmillError, match="layer-wise scaling"):
        export.llama_config(ours.config)
    export.save(ours.state_dict(), ours.config, tmp_path)
    with pytest.raises(ValueError, match="gristmill-decoder"):
        AutoModelForCausalLM.from_pretrained(tmp_path)


def test_names_go_both_ways() -> None:
    for name in decoder().state_dict():
        assert export.own_name(export.hugging_face_name(name)) == name


def test_folders_that_hold_something_else_are_refused(tmp_path) -> None:
    with pytest.raises(GristmillError, match=r"no config\.json"):
        export.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(GristmillError, match="gpt2"):
        export.load(tmp_path)
    ours = decoder()
    export.save(ours.state_dict(), ours.config, tmp_path)
    described = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**described, "intermediate_size": 96}))
    with pytest.raises(GristmillError, match=r"do not fit config\.json"):
        export.load(tmp_path)

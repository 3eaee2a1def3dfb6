"""Decoders at rest: a folder with `model.safetensors` and `config.json`, in Hugging Face's layout where it can say it.

A decoder whose layers all have one shape is written as a LlamaForCausalLM: `transformers` loads it and gives the same
logits. One with layer-wise scaling has no such class, so it is written under our own names with `model_type`
`gristmill-decoder`, which `transformers` refuses by name instead of loading something else. `load` reads both.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from gristmill.errors import GristmillError
from gristmill.model.config import Config
from gristmill.model.decoder import Decoder

OWN_TYPE = "gristmill-decoder"
_TOP = {"embedding.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight"}
_IN_LAYER = {
    "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "ffn.gate": "mlp.gate_proj",
    "ffn.up": "mlp.up_proj",
    "ffn.down": "mlp.down_proj",
}


def save(weights: dict[str, Tensor], config: Config, folder: Path, tokenizer: Path | None = None) -> None:
    """Writes a decoder's state dict, its configuration and, where given, the tokenizer's files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    if config.uniform:
        weights, described = {hugging_face_name(name): weight for name, weight in weights.items()}, llama_config(config)
    else:
        described = {"model_type": OWN_TYPE, **config.to_json()}
    # sorted, contiguous and without a time stamp: equal weights are equal files
    save_file({name: weights[name].detach().cpu().contiguous() for name in sorted(weights)}, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(described, indent=2, sort_keys=True) + "\n")
    if tokenizer is not None:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(tokenizer / name, folder / name)


def load(folder: Path | str) -> tuple[Decoder, Config]:
    """The decoder in `folder`, ready to evaluate, and its configuration."""
    folder = Path(folder)
    config = load_config(folder)
    weights = load_file(folder / "model.safetensors")
    if config.uniform:
        weights = {own_name(name): weight for name, weight in weights.items()}
    decoder = Decoder(config)
    try:
        decoder.load_state_dict(weights)
    except RuntimeError as error:
        raise GristmillError(f"weights do not fit config.json: {error}", where=str(folder)) from None
    return decoder.eval(), config


def load_config(folder: Path | str) -> Config:
    """The configuration in `folder`, from either layout."""
    path = Path(folder) / "config.json"
    try:
        values: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise GristmillError("holds no config.json", where=str(folder), fix="Materialize `checkpoints`.") from None
    kind = values.pop("model_type", None)
    if kind == OWN_TYPE:
        return Config.from_json(values)
    if kind != "llama" or not values.get("tie_word_embeddings"):
        raise GristmillError(f"is a {kind!r} model that was not exported from here", where=str(path))
    layers = values["num_hidden_layers"]
    return Config(
        vocab_size=values["vocab_size"],
        hidden=values["hidden_size"],
        head_size=values["head_dim"],
        heads=(values["num_attention_heads"],) * layers,
        kv_heads=(values["num_key_value_heads"],) * layers,
        ffn=(values["intermediate_size"],) * layers,
        context=values["max_position_embeddings"],
        rope_theta=values["rope_parameters"]["rope_theta"],
        norm_epsilon=values["rms_norm_eps"],
        end_of_text=values["eos_token_id"],
        pad=values["pad_token_id"],
    )


def llama_config(config: Config) -> dict[str, Any]:
    """Hugging Face's LlamaConfig that says the same as `config`; GristmillError where none can."""
    if not config.uniform:
        raise GristmillError(
            "layer-wise scaling gives the layers different shapes, which Hugging Face's Llama cannot express",
            where="config.json",
            fix="Load the folder with gristmill.model.export.load, or train with layerwise_scaling = false.",
        )
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden,
        "intermediate_size": config.ffn[0],
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads[0],
        "num_key_value_heads": config.kv_heads[0],
        "head_dim": config.head_size,
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": True,
        "bos_token_id": config.end_of_text,
        "eos_token_id": config.end_of_text,
        "pad_token_id": config.pad,
    }


def hugging_face_name(name: str) -> str:
    """`layers.0.attention.query.weight` -> `model.layers.0.self_attn.q_proj.weight`"""
    if name in _TOP:
        return _TOP[name]
    _, layer, inner = name.split(".", 2)
    return f"model.layers.{layer}.{_IN_LAYER[inner.removesuffix('.weight')]}.weight"


def own_name(name: str) -> str:
    """The reverse of `hugging_face_name`."""
    for own, theirs in _TOP.items():
        if name == theirs:
            return own
    _, _, layer, inner = name.split(".", 3)
    own = {theirs: ours for ours, theirs in _IN_LAYER.items()}[inner.removesuffix(".weight")]
    return f"layers.{layer}.{own}.weight"

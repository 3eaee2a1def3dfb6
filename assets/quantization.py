"""quantized_variants: a checkpoint's weights in 8, 4 and 2 bits. What needs torch is imported when a variant is made."""

import tempfile
from pathlib import Path

import dagster as dg

from assets.materialize import made_asset
from gristmill.lake.workspace import Check, Made, Partition, Workspace
from gristmill.recipe import Recipe

METHOD_VERSION = "1"  # of gristmill.quantization.rtn, which imports torch; a test holds the two equal
OVERHEAD_BITS = 32  # minimum and scale of a group, 16 bits each
PADDING_BITS = 0.1  # a matrix's last byte may be part empty
ERROR_AT_ONE_BIT = 4  # normal weights, range four deviations, come to 2.3 * 2^-bits
SHOWN = ("bits", "layers", "smallest_group", "bits_per_quantized_weight", "bytes_before", "bytes_after", "relative_error")


def make_quantized_variants(workspace: Workspace, partition: Partition) -> Made:
    from gristmill.quantization import rtn

    assert partition is not None
    model, scheme = partition.rsplit("/", 1)
    folder = Path(tempfile.mkdtemp(prefix="variant-")) / "model"
    found = rtn.quantize(workspace.path("checkpoints", model, "model"), bits_of(scheme), workspace.recipe.quantization.group_size, folder)
    return Made(files={"model": folder}, metadata={"method": "rtn", "bits": bits_of(scheme), **found})


def smaller_and_close(workspace: Workspace) -> Check:
    """Every variant takes the bits that its scheme says, and its error follows from them."""
    rows, passed = [], True
    for key in workspace.partitions("quantized_variants"):
        found = {name: workspace.metadata("quantized_variants", key)[name] for name in SHOWN}
        bits = found["bits"]
        smaller = found["bits_per_quantized_weight"] <= bits + OVERHEAD_BITS / found["smallest_group"] + PADDING_BITS
        smaller &= found["bytes_after"] < found["bytes_before"]
        passed &= bool(found["layers"] and smaller and found["relative_error"] <= ERROR_AT_ONE_BIT * 2.0**-bits)
        rows.append({"variant": key, **found})
    return Check(passed, {"variants": rows}, "every variant is smaller than its checkpoint, and its weights are as close as its bits allow")


def bits_of(scheme: str) -> int:
    """`w4` -> 4"""
    return int(scheme.removeprefix("w"))


def variants(recipe: Recipe) -> list[str]:
    """`<model>/<scheme>` of every variant, by model and falling bits."""
    return [f"{model}/{scheme}" for model in sorted(recipe.models) for scheme in recipe.quantization.schemes]


def quantization_assets(recipe: Recipe) -> list[dg.AssetsDefinition]:
    return [
        made_asset(
            recipe,
            "quantized_variants",
            group="models",
            make=make_quantized_variants,
            partitions=dg.StaticPartitionsDefinition(variants(recipe)),
            deps=[
                (
                    "checkpoints",
                    dg.StaticPartitionMapping(
                        {model: {key for key in variants(recipe) if key.rsplit("/", 1)[0] == model} for model in sorted(recipe.models)}
                    ),
                )
            ],
            version=METHOD_VERSION,
            sections=["quantization.group_size"],
            kinds={"pytorch"},
            checks={"smaller_and_close": smaller_and_close},
            description="A checkpoint's linear layers in 8, 4 or 2 bits by round-to-nearest with groups; embeddings and norms stay float.",
        )
    ]

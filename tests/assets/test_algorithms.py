"""The parts that the plan knows of an algorithm are those that its asset puts together."""

from pathlib import Path

from assets.graph import recipe_assets
from gristmill.lineage.plan.components import SEPARATORS, parts
from gristmill.recipe import load_recipe
from resources.event_log import ALGORITHM

RECIPES = Path(__file__).parents[2] / "recipes"
WITHOUT_NAMES = {"eval_reports"}  # its parts import torch
LEVELS = '[dedup]\nlevels = ["exact", "near", "lines", "substrings", "semantic", "semantic_paragraphs"]\n'


def test_every_algorithm_of_several_parts_has_names_for_them(tmp_path: Path):
    with_paragraphs = tmp_path / "recipe.toml"
    with_paragraphs.write_text(f'[sources.groups.web]\ncrawls = ["*"]\npriority = 1\n{LEVELS}')
    told = set[str]()
    for path in (RECIPES / "quickstart.toml", with_paragraphs):
        for asset in recipe_assets(load_recipe(path)):
            name, algorithm = asset.key.path[-1], str(asset.metadata_by_key[asset.key][ALGORITHM])
            if len(SEPARATORS.split(algorithm)) > 1 and name not in WITHOUT_NAMES:
                assert parts(name, algorithm), f"{name}: {algorithm} is not made of what lineage/plan/components.py says"
                told.add(name)
    assert {"edits", "signals", "paragraph_embeddings", "repeated_text", "mixed_corpus"} <= told

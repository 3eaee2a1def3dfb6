"""lineage_audit: proof that what is stored hangs together."""

import dagster as dg
import polars as pl

from assets.materialize import made_asset
from gristmill.lake.workspace import Check, Made, Partition, Workspace
from gristmill.lineage.audit import VERSION, audit
from gristmill.recipe import Recipe


def make_lineage_audit(workspace: Workspace, partition: Partition) -> Made:
    claims = audit(workspace)
    summary = claims.group_by("claim").agg(subjects=pl.len(), failed=(~pl.col("passed")).sum()).sort("claim")
    return Made(
        {"audit": claims},
        metadata={
            "claims": claims["claim"].n_unique(),
            "subjects": claims.height,
            "failed": int((~claims["passed"]).sum()),
            "by claim": summary.to_dicts(),
            "failures": claims.filter(~claims["passed"]).head(20).to_dicts(),
        },
    )


def everything_holds(workspace: Workspace) -> Check:
    claims = workspace.read("lineage_audit")
    failed = claims.filter(~claims["passed"])
    return Check(
        failed.is_empty(),
        {"failed": failed.height, "failures": failed.head(20).to_dicts()},
        "every recorded version matches what is stored and every sequence leads back to its source",
    )


def lineage_assets(recipe: Recipe) -> list[dg.AssetsDefinition]:
    return [
        made_asset(
            recipe,
            "lineage_audit",
            group="lineage",
            make=make_lineage_audit,
            version=VERSION,
            sections=["audit"],
            deps=[
                "raw_crawl",
                "documents",
                "curated_shards",
                "synthetic_sets",
                "mixed_corpus",
                "checkpoints",
                "quantized_variants",
                "eval_reports",
            ],
            description="Recomputes what the lake claims: file hashes, recorded input versions, and the way from every training sequence "
            "back to a WARC record, a source file or a synthetic record.",
            kinds={"python", "parquet"},
            checks={"everything_holds": everything_holds},
        )
    ]

"""The jobs that drive the plan: `dagster job launch -j everything` makes what is stale, in dependency order.

Each is one op that runs the driver; every asset that it makes is a run of its own, tagged with the job's run.
"""

import dagster as dg

from assets.materialize import at_work
from assets.shown import markdown_table
from gristmill.recipe import Recipe
from jobs.driver import Outcome

UNTIL: dict[str, tuple[str, list[str]]] = {
    "ingest": ("From new source files to documents.", ["documents"]),
    "curate": ("From sources to the documents that may enter a corpus.", ["curated_shards"]),
    "synthesize": ("The synthetic sets.", ["synthetic_sets"]),
    "train": ("Up to trained checkpoints.", ["checkpoints"]),
    "evaluate": ("Up to the eval reports of every variant.", ["eval_reports"]),
    "everything": ("The whole graph, audit included.", []),
}


def drive_jobs(recipe: Recipe) -> list[dg.JobDefinition]:
    return [_drive_job(recipe, name, description, targets) for name, (description, targets) in UNTIL.items()]


def _drive_job(recipe: Recipe, name: str, description: str, targets: list[str]) -> dg.JobDefinition:
    @dg.op(name=recipe.prefixed(f"drive_{name}"), description=description)
    def drive(context):
        from jobs.definitions import driver_of

        context.instance.add_run_tags(context.run_id, at_work())
        outcome = driver_of(recipe, context.instance).drive(targets, tags={"gristmill/driven_by": context.run_id}, say=context.log.info)
        report(context, outcome)

    @dg.job(name=recipe.prefixed(name), description=description + " Makes only what the plan calls stale.")
    def drive_job():
        drive()

    return drive_job


def report(context: dg.OpExecutionContext, outcome: Outcome) -> None:
    """What was made, as metadata of the step; a failure when something failed."""
    metadata = {
        "made": dg.MetadataValue.md(markdown_table(outcome.rows())),
        "failed checks": dg.MetadataValue.md(markdown_table(outcome.failed_checks)),
    }
    if not outcome.succeeded:
        raise dg.Failure(
            "; ".join(
                [
                    *(f"{name}: {error}" for name, error in outcome.failed.items()),
                    *(f"check {check['check']} of {check['asset']} failed" for check in outcome.failed_checks),
                ]
            ),
            metadata=metadata,
            allow_retries=False,
        )
    context.add_output_metadata(metadata)

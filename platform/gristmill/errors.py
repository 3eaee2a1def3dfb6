"""Errors that say where, what and what to do about it."""

from collections.abc import Iterator


class GristmillError(Exception):
    """Something the user can mend. The command line prints it without a traceback.

    `where` names the file, record or field; `fix` the way out.
    """

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None):
        self.what, self.where, self.fix = what, where, fix
        super().__init__(what, where, fix)

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.fix:
            lines.append(f"  {self.fix}")
        return "\n".join(lines)


class RecipeError(GristmillError):
    """A recipe that cannot mean what it says."""


class ContractError(GristmillError):
    """A table that breaks its contract."""


class LakeError(GristmillError):
    """The lake holds something else than it should, or cannot be reached."""


class SourceError(GristmillError):
    """A crawl's source that cannot be read."""


class TeacherError(GristmillError):
    """A teacher that does not answer as it should."""


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what caused it, what caused that."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__

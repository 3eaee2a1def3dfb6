"""What a Python file says of itself when it is parsed, without running it: names, imports, docstrings.

`ast` raises on a source too deep for it (since Python 3.9 its recursion is bounded), but how deep that is depends on who
calls; so a tree deeper than DEEPEST is refused before that can matter. A file that does not parse says nothing.
"""

from __future__ import annotations

import ast
import builtins
import sys
import warnings
from typing import NamedTuple

VERSION = f"1-py{sys.version_info.major}.{sys.version_info.minor}"  # the grammar is the interpreter's

LARGEST = 1_000_000  # characters parsed
DEEPEST = 1_000  # levels of the tree; ast itself gives up at about 3,000, less what its caller has used

_GIVEN = frozenset(dir(builtins)) | {"__file__", "__path__", "__annotations__", "__module__", "__qualname__", "__class__"}
_DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Source(NamedTuple):
    """Counts of distinct names but for the last two, which count definitions."""

    names: int  # read
    own: int  # of these: built in, bound in the file or imported from the standard library
    undefined: int  # of these: bound nowhere
    external: int  # modules imported that are not of the standard library; relative ones count too
    definitions: int  # public functions and classes
    documented: int  # of these: with a docstring


def parse(text: str) -> Source | None:
    """None where the interpreter's grammar does not take the text."""
    if len(text) > LARGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes and the like: the file's, not ours
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None
    nodes = _nodes(tree)
    return None if nodes is None else _read(nodes)


def _nodes(tree: ast.AST) -> list[ast.AST] | None:
    """All nodes level by level; None where there are too many levels."""
    nodes, level = [tree], [tree]
    for _ in range(DEEPEST):
        level = _children(level)
        if not level:
            return nodes
        nodes += level
    return None


def _children(nodes: list[ast.AST]) -> list[ast.AST]:
    """`ast.iter_child_nodes` of all nodes, but for contexts and operators, which say nothing here; three times as fast."""
    children: list[ast.AST] = []
    for node in nodes:
        for value in vars(node).values():
            if isinstance(value, list):
                children += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST) and value._fields:
                children.append(value)
    return children


def _read(nodes: list[ast.AST]) -> Source:
    read: set[str] = set()
    bound: set[str] = set()
    foreign: set[str] = set()  # names bound to what is imported from outside the standard library
    modules: set[str] = set()  # imported from outside it
    definitions = documented = 0
    for node in nodes:
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                module = alias.name.split(".")[0]
                name = alias.asname or module
                if module in sys.stdlib_module_names:
                    bound.add(name)
                else:
                    foreign.add(name)
                    modules.add(module)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "").split(".")[0]
            own = module in sys.stdlib_module_names
            (bound if own else foreign).update(alias.asname or alias.name for alias in node.names)
            if not own:
                modules.add(module)
        elif isinstance(node, _DOCUMENTED):
            bound.add(node.name)
            if not node.name.startswith("_"):
                definitions += 1
                documented += _has_docstring(node)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            bound.add(node.name or "")
        elif isinstance(node, ast.MatchMapping):
            bound.add(node.rest or "")
        elif isinstance(node, ast.Global | ast.Nonlocal):
            bound.update(node.names)
    own_names = read & ((bound | _GIVEN) - (foreign - bound))
    undefined = read - bound - foreign - _GIVEN
    return Source(len(read), len(own_names), len(undefined), len(modules), definitions, documented)


def _has_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    first = node.body[0]
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)

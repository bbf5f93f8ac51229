"""The house's rules as functions from a source to findings, `line: what`.

`test_tidy.py` holds the tree to them, and shows each of them a breach.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PURE_BANNED = frozenset(
    {"asyncio", "logging", "os", "random", "socket", "threading", "time"}
    | {"gpiozero", "paho", "smbus2"}
)
PURE_FIRMWARE = frozenset({"device", "guard", "link", "errors"})


def long_functions(tree: ast.Module) -> Iterator[str]:
    """Find functions that are too long, their docstring and decorators not counted."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node) else node.body
        end = node.end_lineno or node.lineno
        signature = node.body[0].lineno - node.lineno
        length = signature + (end - body[0].lineno + 1 if body else 0)
        if length > FUNCTION_LINES_MAX:
            yield f"{node.lineno}: {node.name} has {length} lines, {FUNCTION_LINES_MAX} are allowed"


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Find every module that a source imports, at any depth and by any means."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), level=0, names=names):
                yield node.lineno, module
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Name(id="__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield node.lineno, module
            case _:
                pass


def impure_imports(tree: ast.Module) -> Iterator[str]:
    """Find what a deciding room must not import: clock, chance, socket, thread, log or device."""
    for line, module in imports(tree):
        top, *rest = module.split(".")
        if top in PURE_BANNED or top == "importlib":
            yield f"{line}: imports {module}"
        if top == "rackgrid_firmware" and rest and rest[0] not in PURE_FIRMWARE:
            yield f"{line}: imports {module}, and may see only {sorted(PURE_FIRMWARE)}"


def broad_excepts(tree: ast.Module) -> Iterator[str]:
    """Find handlers that catch everything."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        if isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None:
            continue  # It cleans up and lets the error go on.
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        for kind in caught:
            if kind is None:
                yield f"{node.lineno}: bare except"
            elif isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}:
                yield f"{node.lineno}: except {kind.id}"


def sleeps(tree: ast.Module) -> Iterator[str]:
    """Find waits for time where a condition should be waited for."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="time"), attr="sleep"):
                yield f"{node.lineno}: time.sleep"
            case ast.ImportFrom(module="time", names=names) if any(
                n.name == "sleep" for n in names
            ):
                yield f"{node.lineno}: from time import sleep"
            case _:
                pass


LEFTOVER = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
MACHINE_PATH = re.compile(
    "|".join(
        # The slash apart, so that this file does not find itself.
        "/" + place
        for place in (r"home/\w", r"Users/\w", r"root/\w", r"work/\w", r"opt/(?!rackgrid)\w")
    )
    + r"|\.\./" + "shared"
)  # fmt: skip


def leftovers(text: str) -> Iterator[str]:
    """Find notes to oneself and paths of one's own machine."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := LEFTOVER.search(line) or MACHINE_PATH.search(line):
            yield f"{number}: {found.group()}"


def has_logic(tree: ast.Module) -> bool:
    """Say whether a source decides anything: a function whose body is more than words."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
            not (isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant))
            for step in node.body
        ):
            return True
    return False

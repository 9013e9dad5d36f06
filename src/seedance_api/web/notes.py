"""The sentences about the fields of a struct: the text under each field, as pydantic reads it, too."""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache

import msgspec


@cache
def field_notes(shape: type[msgspec.Struct]) -> dict[str, str]:
    """The sentence about each field that has one, by the name that the field has in JSON."""
    notes: dict[str, str] = {}
    for base in reversed(shape.__mro__):
        notes |= _texts(base.__module__).get(base.__name__, {})
    names = {field.name: field.encode_name for field in msgspec.structs.fields(shape)}
    return {names[name]: text for name, text in notes.items() if name in names}


@cache
def _texts(module: str) -> dict[str, dict[str, str]]:
    """For each class of a module, the text under each of its fields."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):  # a module that is not Python, or came without its source
        return {}
    return {node.name: dict(_under_fields(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _under_fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in zip(node.body, node.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(value=ast.Constant(value=str(said))):
                yield name, " ".join(said.split())
            case _:
                pass

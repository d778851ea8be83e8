"""Prints values as text or JSON."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
import msgspec


def print_fields(values: Mapping[str, object], *, as_json: bool) -> None:
    """Print one object: a line for each value that is not empty."""
    if as_json:
        click.echo(_encode_json(values))
        return
    width = max(map(len, values), default=0)
    for name, value in values.items():
        if value not in (None, "", ()):
            click.echo(f"{name.replace('_', ' '):<{width}}  {value}")


def print_table(rows: Sequence[Mapping[str, object]], *, as_json: bool, empty: str) -> None:
    """Print objects of one kind in columns; without any, the text `empty`."""
    if as_json:
        click.echo(_encode_json(rows))
        return
    if not rows:
        click.echo(empty)
        return
    names = list(rows[0])
    cells = [[_format_cell(row[name]) for name in names] for row in rows]
    widths = [max(len(line[i]) for line in [names, *cells]) for i in range(len(names))]
    for line in [[name.replace("_", " ") for name in names], *cells]:
        click.echo("  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip())


def read_fields(value: Any) -> dict[str, object]:
    """Return the fields of a dataclass."""
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _format_cell(value: object) -> str:
    return "" if value is None else str(value)


def _encode_json(value: object) -> str:
    return json.dumps(msgspec.to_builtins(value, enc_hook=str, str_keys=True), indent=2, ensure_ascii=False)

"""Spreadsheets and CSV: tables whose rows say what their cells are."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from knowledge.errors import ParsingError
from knowledge.parsing.characters import decode
from knowledge.parsing.document import (
    Page,
    ParsedDocument,
    escape_markdown,
    table_markdown,
    title_of_name,
)
from knowledge.parsing.office import check_package

_WIDEST = 8  # columns of a table; in a wider one a reader loses which cell is whose


def parse_xlsx(raw: bytes, name: str) -> ParsedDocument:
    """A workbook: each visible sheet is a heading with a table; formulas as last computed."""
    import openpyxl

    check_package(raw, name)
    try:
        book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
        parts = [
            f"## {escape_markdown(sheet.title)}\n\n{rows_markdown(_rows(sheet))}"
            for sheet in book.worksheets
            if sheet.sheet_state == "visible"
        ]
        title = book.properties.title
        book.close()
    except Exception as error:  # openpyxl raises whatever its XML reader meets
        raise ParsingError(f"{name} is a broken workbook: save it again.") from error
    return ParsedDocument(title or title_of_name(name), (Page(None, "\n\n".join(parts)),))


def parse_csv(raw: bytes, name: str) -> ParsedDocument:
    """Comma-, semicolon- or tab-separated values; the first row names the columns."""
    text = decode(raw, name)
    try:
        dialect: Any = csv.Sniffer().sniff(text[:8192], delimiters=",;\t|")
    except csv.Error:
        dialect = "excel-tab" if "\t" in text.partition("\n")[0] else "excel"
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), dialect)]
    except csv.Error as error:
        raise ParsingError(f"{name} is a broken table ({error}): export it again.") from error
    return ParsedDocument(title_of_name(name), (Page(None, rows_markdown(rows)),))


def rows_markdown(rows: Iterable[Sequence[str]]) -> str:
    """Rows as Markdown: lines above the header, then a table, or a list where it is wide."""
    filled = _without_empty_columns([list(row) for row in rows if any(row)])
    start = next((i for i, row in enumerate(filled) if sum(map(bool, row)) > 1), len(filled))
    above = [escape_markdown(" ".join(filter(None, row))) for row in filled[:start]]
    table = filled[start:]
    if table and len(table[0]) > _WIDEST:
        return "\n\n".join([*above, "\n".join(_items(table))])
    return "\n\n".join([*above, table_markdown(table)]).strip()


def _items(table: list[list[str]]) -> Iterator[str]:
    header, *rows = table
    for row in rows:
        cells = [
            f"{name}: {' '.join(cell.split())}" if name else cell
            for name, cell in zip(header, row, strict=False)
            if cell
        ]
        yield "- " + escape_markdown("; ".join(cells))


def _without_empty_columns(rows: list[list[str]]) -> list[list[str]]:
    width = max(map(len, rows), default=0)
    square = [[*row, *[""] * (width - len(row))] for row in rows]
    used = [column for column in range(width) if any(row[column] for row in square)]
    return [[row[column] for column in used] for row in square]


def _rows(sheet: Any) -> Iterator[list[str]]:
    for row in sheet.iter_rows():
        yield [_value(cell) for cell in row]


def _value(cell: Any) -> str:
    value = cell.value
    percent = "%" in (cell.number_format or "")
    match value:
        case None:
            text = ""
        case bool():
            text = "yes" if value else "no"
        case float() | int() if percent:
            text = f"{value * 100:.10g}%"
        case float():
            text = f"{value:.10g}"
        case datetime() if value.time() != time():
            text = value.isoformat(sep=" ", timespec="minutes")
        case date():  # a datetime is a date
            text = value.strftime("%Y-%m-%d")
        case _:
            text = str(value).strip()
    return text

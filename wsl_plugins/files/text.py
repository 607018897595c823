"""Text, JSON, YAML and XML files."""

import codecs
import csv
import json
import os
import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import yaml

from wsl_plugins.files.limits import checked_file

SHORT = 300  # letters
_WRONG = (AttributeError, LookupError, ArithmeticError, RecursionError, TypeError)


def short(value: object) -> str:
    """``repr`` of what a file holds, cut short: values may be huge, or nested without end."""
    text = reprlib.repr(value)  # of lists of lists of lists it may still be long
    return text if len(text) <= SHORT else f'{text[:SHORT]}...'


def read_text(path: str | os.PathLike) -> str:
    """Content of a text file in utf-8, without byte order mark.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no utf-8 text, or larger than 2 GiB (see :mod:`.limits`).
    """
    path = checked_file(path)
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        wide = error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        reason = 'it is UTF-16, save it as UTF-8' if wide else error
        raise ValueError(f'{path}: not a utf-8 text file: {reason}') from error
    if '\0' in text:
        raise ValueError(f'{path}: not a utf-8 text file: it may be UTF-16, save it as UTF-8')
    return text


def read_json(path: str | os.PathLike) -> Any:
    """Content of a JSON file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not JSON, nested too deep, or larger than 2 GiB (see :mod:`.limits`).

    Example:
        >>> read_json('annotations/instances_val2017.json').keys()
        dict_keys(['info', 'licenses', 'images', 'annotations', 'categories'])
    """
    path = checked_file(path)
    try:
        return json.loads(path.read_bytes())
    except RecursionError as error:
        raise ValueError(f'{path}: not JSON: nested too deep') from error
    except ValueError as error:
        raise ValueError(f'{path}: not JSON: {error}') from error


def read_yaml(path: str | os.PathLike) -> Any:
    """Content of a YAML file, of which no tag is obeyed.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not YAML, nested too deep, or larger than 2 GiB (see :mod:`.limits`).
    """
    text = read_text(path)
    try:
        return yaml.safe_load(text)
    except RecursionError as error:
        raise ValueError(f'{path}: not YAML: nested too deep') from error
    except (yaml.YAMLError, ValueError, *_WRONG) as error:
        raise ValueError(f'{path}: not YAML: {" ".join(str(error)[:500].split())}') from error


def read_xml(path: str | os.PathLike) -> ElementTree.Element:
    """Root of an XML file.

    Entities of other files are never read. Entities that grow to much more than the file ("billion
    laughs") end in an error of expat 2.4.1 or newer, which every supported Python has.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not XML, or larger than 2 GiB (see :mod:`.limits`).
    """
    path = checked_file(path)
    try:
        return ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f'{path}: not XML: {error}') from error


@contextmanager
def file_errors(path: str | os.PathLike, what: str) -> Iterator[None]:
    """Errors about what a file holds become one ValueError that names the file.

    Args:
        path: The file.
        what: What it should be.

    Raises:
        ValueError: Something has another type, is missing, or is out of range.

    Example:
        >>> with file_errors('a.json', 'COCO annotations'):
        ...     dict(images=[])['annotations']
        Traceback (most recent call last):
        ValueError: a.json: no COCO annotations: 'annotations' is missing
    """
    try:
        yield
    except (*_WRONG, csv.Error) as error:
        missing = ' is missing' if isinstance(error, KeyError) else ''
        raise ValueError(f'{path}: no {what}: {str(error)[:500]}{missing}') from error
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f'{path}: no {what}: {str(error)[:500]}') from error

"""CSV files of image labels, in the forms that spreadsheets and label tools write.

=====================  ==========================================================================
form                   example
=====================  ==========================================================================
labels in a column     ``image,label`` and ``a.jpg,owl;emu``, or several rows of an image
one row per object     ``image,xmin,ymin,xmax,ymax,label``: the boxes are not read
verified labels        ``image,label,confidence``: 1 is there, 0 is verified to be absent
one column per class   ``image,owl,emu`` and ``a.jpg,1,0``
=====================  ==========================================================================

What was found out is told in one line. Where two readings are possible, an error names the option
that chooses.
"""

import os

from wsl_plugins.files.formats.label_rows import LabelRows, LabelTable
from wsl_plugins.files.tables import (
    IMAGE_NAMES,
    find_column,
    is_image_column,
    quoted,
    read_table,
)

LABEL_NAMES = (
    ('label',),
    ('labels', 'labelname', 'class', 'classes', 'classname', 'classlabel')
    + ('category', 'categories', 'categoryname', 'tag', 'tags'),
)


def read_label_csv(
    path: str | os.PathLike,
    image_column: str | None = None,
    label_column: str | None = None,
    label_separator: str | None = None,
) -> LabelTable:
    """Image labels of a CSV file in one of the forms above.

    Args:
        path (str | PathLike): The file: utf-8, columns separated by ``,`` ``;`` tab or ``|``. The
            first line names them, in small or capital letters.
        image_column (str, optional): Heading of the column of images. Defaults to None: "image" or
            another usual name.
        label_column (str, optional): Heading of the column of labels. Defaults to None: "label" or
            another usual name; without one, all columns of 0 and 1.
        label_separator (str, optional): What separates labels in a cell; 'none': a cell is one
            label. Defaults to None: found out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The form cannot be told; or rows are wrong: no image, no label, the same label
            of an image twice (unless there is a row per object), a number that is not 0 or 1. One
            error names the first five by their line.

    Example:
        >>> read_label_csv('labels.csv').labels
        {'owl_1.jpg': {'owl': 2}, '2024/both.jpg': {'owl': 3, 'emu': 3}}
    """
    table = read_table(
        path,
        lambda cells: image_column in cells if image_column else is_image_column(*cells),
    )
    if not table.rows:
        raise ValueError(f'{path}: is empty; the first line names the columns, such as image,label')
    (line, heading), *rows = table.rows
    where = f'{path}:{line}'
    image = find_column(heading, IMAGE_NAMES, where, image_column, '--image-column')
    if image is None:
        raise ValueError(
            f'{where}: no column of images ("image", "filename", ...), got {quoted(heading)}; the '
            'first line names the columns, such as image,label; --image-column tells which it is'
        )
    label = find_column(heading, LABEL_NAMES, where, label_column, '--label-column')
    reader = LabelRows(str(path), table.separator, heading, image, rows)
    if label is None:
        reader.read_columns()
    else:
        reader.read_column(label, label_separator)
    return reader.result()

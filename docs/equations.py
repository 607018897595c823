r"""MkDocs hook: equations are shown without any script.

A block of LaTeX in a document, which GitHub renders by itself, becomes MathML in the site, which
browsers render by themselves:

    ```math
    L = \sum_c y_c
    ```
"""

import re

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

BLOCK = re.compile(r'^```math\n(.*?)^```$', re.DOTALL | re.MULTILINE)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put MathML in place of the blocks of LaTeX."""
    return BLOCK.sub(lambda match: mathml(match[1]), markdown)


def mathml(latex: str) -> str:
    """HTML of an equation that stands in a line of its own."""
    return f'<div class="equation">{convert(latex.strip(), display="block")}</div>'

"""The tour as a notebook: ``python docs/notebook.py`` writes docs/tour.ipynb from docs/tour.md.

Commands behind ``<!-- runnable -->`` become cells of bash, Python behind ``<!-- notebook`` (which a
page does not show) cells of Python; all else is text.
"""

import json
import re
from pathlib import Path

SOURCE, TARGET = Path(__file__).with_name('tour.md'), Path(__file__).with_name('tour.ipynb')
CODE = re.compile(
    r'^<!-- runnable -->\n+```bash\n(?P<bash>.*?)^```$|^<!-- notebook\n(?P<python>.*?)^-->$',
    re.DOTALL | re.MULTILINE,
)
# in the folder of the repository, with the Python of the kernel
START = """\
import os
import sys
from pathlib import Path

if not Path('tools').is_dir():
    os.chdir('..')
os.environ['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
"""


def cells_of(text: str) -> list[tuple[str, str]]:
    """Type ('markdown' or 'code') and source of each cell.

    Example:
        >>> cells_of('# A\\n\\n<!-- runnable -->\\n```bash\\nls\\n```\\n')[::2]
        [('markdown', '# A'), ('code', '%%bash -e\\nls')]
    """
    cells, end = [], 0
    for match in CODE.finditer(text):
        code = match['python'] or f'%%bash -e\n{match["bash"]}'
        cells += [('markdown', text[end : match.start()]), ('code', code)]
        end = match.end()
    cells.append(('markdown', text[end:]))
    cells.insert(1, ('code', START))
    return [(kind, source.strip()) for kind, source in cells if source.strip()]


def notebook(text: str) -> str:
    """Text of the notebook (nbformat 4.5), without output."""
    cells: list[dict] = []
    for number, (kind, source) in enumerate(cells_of(text)):
        cell = dict(cell_type=kind, id=str(number), metadata={}, source=source.splitlines(True))
        cells.append(cell | (dict(execution_count=None, outputs=[]) if kind == 'code' else {}))
    kernel = dict(display_name='Python 3', language='python', name='python3')
    content = dict(cells=cells, metadata=dict(kernelspec=kernel), nbformat=4, nbformat_minor=5)
    return json.dumps(content, indent=1, ensure_ascii=False) + '\n'


if __name__ == '__main__':
    TARGET.write_text(notebook(SOURCE.read_text(encoding='utf-8')), encoding='utf-8')
    print(TARGET)

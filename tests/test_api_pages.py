"""Pages of the site made of docstrings (with requirements/docs.txt), on a small package."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = {
    'wsl_plugins/__init__.py': '"""All of it."""\nraise RuntimeError("it is not imported")\n',
    'wsl_plugins/_hidden.py': '"""Not shown."""\n',
    'wsl_plugins/boxes.py': '''"""Boxes."""


def area(box: list[float], scale: float = 1.0) -> float:
    """Area, as :func:`.other` of `A <https://a.org>`_.

    Args:
        box: xyxy.
        scale: Factor.

    Raises:
        ValueError: It is wrong.

    Example:
        >>> area([0, 0, 2, 3])  # doctest: +SKIP
        6
    """


def _private() -> None:
    """Not shown."""


class Table:
    """One.

    ======  ============
    name    what
    ======  ============
    ``a``   first, which
            goes on
    b       x | y
    ======  ============

    Behind it.
    """
''',
    'wsl_plugins/empty/__init__.py': '',
    'docs/index.md': '# Start\n',
}


def test_page_of_each_package(tmp_path):
    pytest.importorskip('mkdocstrings')
    pytest.importorskip('latex2mathml')
    files = dict(FILES, **{'mkdocs.yml': (ROOT / 'mkdocs.yml').read_text()})
    for path in [*ROOT.glob('docs/*.py'), ROOT / 'docs' / 'extra.css']:
        files[f'docs/{path.name}'] = path.read_text()
    files['mkdocs.yml'] = re.sub(
        r'\nnav:.*', '\nnav: [Home: index.md]\n', files['mkdocs.yml'], flags=re.DOTALL
    )
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    build = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', 'site']
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]

    site = tmp_path / 'site'
    assert [path.name for path in (site / 'api').iterdir()] == ['wsl_plugins']
    assert 'href="api/wsl_plugins/"' in (site / 'index.html').read_text()  # in the navigation
    page = (site / 'api' / 'wsl_plugins' / 'index.html').read_text()
    article = re.search('<article.*</article>', page, re.DOTALL)[0]
    text = re.sub(r'\s+', ' ', re.sub('<[^>]+>', '', article))
    for words in ('All of it.', 'Boxes.', 'It is wrong.', 'Behind it.', 'Area, as other of A.'):
        assert words in text, words
    assert 'href="https://a.org"' in article
    assert re.search(r'<td><code>a</code></td>\s*<td>first, which goes on</td>', article)
    assert re.search(r'<td>b</td>\s*<td>x \| y</td>', article)
    assert '&gt;&gt;&gt; ' in article and 'SKIP' not in article and 'Not shown' not in text


def test_every_package_has_a_page():
    pytest.importorskip('mkdocs')
    found = runpy.run_path(str(ROOT / 'docs' / 'api_pages.py'))['packages'](ROOT)
    assert 'wsl_plugins.models.roi_heads.roi_pool' in found['wsl_plugins.models.roi_heads']
    modules = {module for modules in found.values() for module in modules}
    files = {
        '.'.join(path.relative_to(ROOT).with_suffix('').parts)
        for path in (ROOT / 'wsl_plugins').rglob('*.py')
    }
    assert modules == {name for name in files if not name.rpartition('.')[2].startswith('_')}

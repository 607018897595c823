"""Documents: table of components, navigation, links within pages, the site's hook."""

import re
import runpy
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml

ROOT = Path(__file__).parents[1]
TOOL = ROOT / 'tools' / 'analysis' / 'list_components.py'
MODULE = '''
from wsl_plugins.registry import MODELS, METRICS


@MODELS.register_module()
class Zebra(Base):
    """Head of `A <https://a.org>`_; takes ``x | y`` of
    :class:`B`. Not shown.

    Nor this.
    """


@METRICS.register_module()
class Count(Base):
    """Counts. e.g. 2."""


class Plain(Base):
    """Not registered."""
'''
PAGE = r"""## METRICS

| name | what | file |
| --- | --- | --- |
| `Count` | Counts. e.g. 2. | [part/mod.py](../../wsl_plugins/part/mod.py) |

## MODELS

| name | what | file |
| --- | --- | --- |
| `Zebra` | Head of [A](https://a.org); takes `x \| y` of `B`. | LINK |
""".replace('LINK', '[part/mod.py](../../wsl_plugins/part/mod.py)')


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(TOOL))


def test_table_of_components_is_up_to_date(tool):
    path = ROOT / 'docs' / 'components.md'
    assert path.read_text() == tool['page'](tool['components'](), path), (
        'run python tools/analysis/list_components.py --out docs/components.md'
    )


def test_page_of_components(tool, tmp_path):
    module = tmp_path / 'wsl_plugins' / 'part' / 'mod.py'
    module.parent.mkdir(parents=True)
    module.write_text(MODULE)
    found = tool['components'](tmp_path)
    text = tool['page'](found, tmp_path / 'docs' / 'deep' / 'x.md', tmp_path)
    assert text.removeprefix(tool['HEAD']).strip() == PAGE.strip()

    module.write_text('@MODELS.register_module()\nclass Bare:\n    pass\n')
    with pytest.raises(ValueError, match=r'mod\.py: Bare has no docstring'):
        tool['components'](tmp_path)


def test_command(tmp_path):
    out = tmp_path / 'new' / 'components.md'
    done = subprocess.run(
        [sys.executable, TOOL, '--out', out], capture_output=True, text=True, check=True
    )
    assert re.search(r'\d+ components in ', done.stdout)
    assert '| `WSDDNHead` |' in out.read_text()


def test_command_with_a_folder_as_file(tool, tmp_path, capsys):
    with patch.object(sys, 'argv', ['list_components.py', '--out', str(tmp_path)]):
        assert tool['main']() == 1
    error = capsys.readouterr().err
    assert error.startswith('list_components: error: ') and error.count('\n') == 1
    assert str(tmp_path) in error


def pages_of(nav: list | str) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [page for entry in nav for part in entry.values() for page in pages_of(part)]


def test_every_page_is_in_the_navigation():
    pages = pages_of(yaml.safe_load((ROOT / 'mkdocs.yml').read_text())['nav'])
    there = {path.relative_to(ROOT / 'docs').as_posix() for path in ROOT.glob('docs/**/*.md')}
    assert len(pages) == len(set(pages))
    assert there <= set(pages), 'a page of docs/ is not in nav of mkdocs.yml'
    for page in set(pages) - there:  # taken in by docs/site_links.py
        assert (ROOT / page).is_file(), f'mkdocs.yml: no page {page}'


def anchors(markdown: str) -> set[str]:
    """Of the headings, as GitHub and MkDocs make them, and those set by hand."""
    text = re.sub(r'^```.*?^```', '', markdown, flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r'^#+ +(.+)$', text, re.MULTILINE)
    made = {re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-') for title in titles}
    return made | set(re.findall(r'<a id="([\w-]+)">', text))


def test_anchors_of_links_exist():
    checked = 0
    documents = [*ROOT.glob('*.md'), *ROOT.glob('docs/**/*.md'), *ROOT.glob('configs/*/README.md')]
    for document in documents:
        for link, anchor in re.findall(
            r'\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)', document.read_text()
        ):
            target = document.parent / link if link else document
            assert anchor in anchors(target.read_text()), f'{document}: {link}#{anchor}'
            checked += 1
    assert checked > 10


def test_links_lead_to_files():
    """A folder is its README (docs/site_links.py): the site is not built with a link to nothing."""
    folders = 'docs', 'configs', 'projects', 'findings'
    checked = 0
    for document in [*ROOT.glob('*.md'), *(p for f in folders for p in (ROOT / f).rglob('*.md'))]:
        for link in re.findall(r'\]\((?!\w+:|#)([^)#\s]+)', document.read_text()):
            target = document.parent / link
            assert (target / 'README.md' if target.is_dir() else target).is_file(), (
                f'{document}: {link}'
            )
            checked += 1
    assert checked > 500


def test_equations_are_understood():
    """By docs/equations.py: no command of LaTeX is left as it is (see requirements/docs.txt)."""
    pytest.importorskip('latex2mathml')
    hook = runpy.run_path(str(ROOT / 'docs' / 'equations.py'))
    pages = {path: path.read_text() for path in ROOT.glob('docs/**/*.md')}
    blocks = [(page, block) for page in pages for block in hook['BLOCK'].findall(pages[page])]
    assert len(blocks) > 10
    for page, block in [*blocks, ('a command that does not exist', r'\nothing x')]:
        words = re.sub('<[^>]+>', '', hook['mathml'](block))
        left = '\\' in words or '&amp;' in words
        assert left == (page == 'a command that does not exist'), f'{page}: {block}{words}'


def test_links_to_files_of_the_repository_work_in_the_site(tmp_path):
    """docs/site_links.py on a small site (with mkdocs: requirements/docs.txt)."""
    pytest.importorskip('mkdocs')
    files = {
        'docs/index.md': '[a](../code.py) [b](../sub#top) [c](more/page.md) [d](https://x.org)\n',
        'README.md': '# Read me\n\n[j](docs/more/page.md) [k](code.py)\n',
        'docs/more/page.md': '[e](../../sub/README.md) [f](../index.md)\n',
        'sub/README.md': '# Top\n\n![g](pic.png) [h](../docs/more/page.md) [i](other.md)\n',
        'sub/other.md': '# Other\n\nonly linked from sub, with the [README](../README.md)\n',
        'sub/alone.md': '# Alone\n\nlinked from nowhere\n',
        'sub/pic.png': 'picture',
        'code.py': 'answer = 42  # [no link](nowhere.md)\n',
        'mkdocs.yml': (
            'site_name: x\nexclude_docs: site_links.py\nhooks: [docs/site_links.py]\n'
            'validation: {links: {not_found: warn, anchors: warn, unrecognized_links: warn}}\n'
        ),
        'docs/site_links.py': (ROOT / 'docs' / 'site_links.py').read_text(),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    build = [sys.executable, '-m', 'mkdocs', 'build', '--strict']
    subprocess.run(build, cwd=tmp_path, check=True)

    site = tmp_path / 'site'
    index, readme = (site / 'index.html').read_text(), (site / 'sub' / 'index.html').read_text()
    for href in ('code.py/', 'sub/#top', 'more/page/', 'https://x.org'):
        assert f'href="{href}"' in index  # which the README has not taken the place of
    of_repository = (site / 'repository' / 'index.html').read_text()
    assert 'href="../more/page/"' in of_repository and 'href="../code.py/"' in of_repository
    assert 'href="../../repository/"' in (site / 'sub' / 'other' / 'index.html').read_text()
    assert 'src="pic.png"' in readme and 'href="../more/page/"' in readme
    assert 'href="other/"' in readme
    page = (site / 'more' / 'page' / 'index.html').read_text()
    assert 'href="../../sub/"' in page and 'href="../.."' in page
    assert 'answer = 42' in (site / 'code.py' / 'index.html').read_text()
    assert (site / 'sub' / 'pic.png').read_text() == 'picture'
    assert not (site / 'sub' / 'alone').exists() and not (site / 'site_links.py').exists()

    (tmp_path / 'docs' / 'index.md').write_text('[a](../gone.py)\n')
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and 'gone.py' in done.stderr

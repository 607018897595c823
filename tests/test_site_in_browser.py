"""The built site (``make docs``) on a desk and on a phone: nothing is cut."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SITE = Path(__file__).parents[1] / 'work_dirs' / 'site'
CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
PAGES = ('', 'what_labels_teach', 'choose', 'install', 'tour', 'own_data')
WIDTHS = (1300, 390)
MEASURE = """
addEventListener('load', () => {
  const cut = [...document.querySelectorAll('pre > code')].filter(
    code => code.scrollWidth > code.clientWidth + 1
      || code.parentElement.scrollWidth > code.parentElement.clientWidth + 1
  );
  const seen = {
    page: PAGE, blocks: document.querySelectorAll('pre > code').length,
    cut: cut.map(code => code.textContent.slice(0, 80)), width: innerWidth,
    needed: document.scrollingElement.scrollWidth,
    styled: getComputedStyle(document.querySelector('.md-grid')).maxWidth !== 'none'
  };
  parent.document.querySelector('pre').textContent += JSON.stringify(seen) + '\\n';
});
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason='needs chromium in PATH')
@pytest.mark.skipif(not SITE.is_dir(), reason='needs the site: make docs')
def test_no_code_is_cut(tmp_path):
    outer = '<!DOCTYPE html><meta charset="utf-8"><pre></pre>'
    for page in PAGES:
        file = SITE / page / 'index.html'
        script = f'<script>{MEASURE.replace("PAGE", json.dumps(page))}</script>'
        head = f'<head><base href="{file.parent.as_uri()}/">{script}'
        text = html.escape(file.read_text().replace('<head>', head, 1))
        for width in WIDTHS:
            outer += (
                f'<iframe srcdoc="{text}" width="{width}" height="900" frameborder="0"></iframe>'
            )
    (tmp_path / 'outer.html').write_text(outer)
    command = [CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--dump-dom']
    command += ['--allow-file-access-from-files', f'--user-data-dir={tmp_path / "profile"}']
    command.append((tmp_path / 'outer.html').as_uri())
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    rows = html.unescape(re.search(r'<pre>(.*?)</pre>', done.stdout, re.DOTALL)[1]).splitlines()
    seen = [json.loads(row) for row in rows]
    assert sorted((row['page'], row['width']) for row in seen) == sorted(
        (page, width) for page in PAGES for width in WIDTHS
    )
    for row in seen:
        assert row['styled'] and row['cut'] == [] and row['needed'] <= row['width'], row
    assert sum(row['blocks'] for row in seen) > 40

"""The report: what it reads from logs, what the page says, and how it behaves in a browser."""

import html
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from wsl_plugins.visualization.report import build_report, write_report
from wsl_plugins.visualization.report.curves import Chart, charts_of, draw
from wsl_plugins.visualization.report.logs import join_records, read_folders
from wsl_plugins.visualization.report.pictures import embed, embed_files, picture_folders
from wsl_plugins.visualization.report.tables import Table, class_tables, number

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
EVIL = '<script>alert(1)</script>'
FILE = '<img src=x onerror=alert(1)>"\'.jpg'  # a file name has no slash
LOG = f"""2026/01/02 03:04:05 - mmengine - INFO - Epoch(val) [6][25/25]    time: 0.4
+---------+-----+-------+
| class   | gts | ap    |
+---------+-----+-------+
| {EVIL} | 41  | 0.907 |
| star    | 5   | 0.482 |
| cross   | 38  | 1.000 |
+---------+-----+-------+
| mAP     |     | 0.796 |
+---------+-----+-------+
2026/01/02 03:04:06 - mmengine - INFO - Epoch(val) [12][25/25]    pascal_voc/mAP: 0.7960
| no | table |
+------+--------+
| name | class  |
+------+--------+
| a    | b      |
+------+--------+
2026/01/02 03:04:07 - mmengine - INFO -
+----------+--------+
| category | CorLoc |
+----------+--------+
| cat      | 50.0   |
+----------+--------+
2026/01/02 03:04:07 - mmengine - INFO - Epoch(test) [2/2]    corloc/mean: 50.0
"""


def write_run(folder, stamp, records=(), test=None, log='', config=''):
    """What the Runner leaves of a run."""
    run = folder / stamp
    (run / 'vis_data').mkdir(parents=True)
    if records:
        lines = '\n'.join(json.dumps(record) for record in records)
        (run / 'vis_data' / 'scalars.json').write_text(lines)
    if test:
        (run / f'{stamp}.json').write_text(json.dumps(test))
    (run / f'{stamp}.log').write_text(log)
    if config:
        (run / 'vis_data' / 'config.py').write_text(config)
    return run


def training(epochs, first=1):
    """Records of a detector's training: two per epoch and a validation."""
    for epoch in range(first, epochs + 1):
        for step in (2 * epoch - 1, 2 * epoch):
            yield {
                'lr': 0.1 / step,
                'data_time': 0.1,
                'loss': 4.0 / step,
                's0.loss_cls': 3.0 / step,
                'drop_rate': 0.01 * step,
                'epoch': epoch,
                'iter': step,
                'step': step,
            }
        yield {'pascal_voc/mAP': 0.1 * epoch, 'time': 0.4, 'step': epoch}


@pytest.fixture
def work_dir(tmp_path):
    """A training, a test and pictures, with hostile names wherever a name is free."""
    top = tmp_path / 'demo'
    records = [record | {EVIL: 1.0} for record in training(3)]
    write_run(top / 'train', '20260102_030405', records, log=LOG, config=f'# {EVIL}\nlr = 0.1')
    test = {'corloc/mean': 50.0, f'corloc/{EVIL}': 1.0}
    write_run(top / 'test', '20260102_040506', test=test)
    folder = top / 'pictures' / '<script>alert(1)<'
    folder.mkdir(parents=True)
    for name in (FILE, 'script>.jpg'):
        Image.new('RGB', (900, 60), 'red').save(folder / name)
    return top


class Page(HTMLParser):
    """Elements of a page with their attributes, and its texts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data.strip())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def test_resumed_trainings_are_joined():
    first, second = list(training(3)), list(training(4, first=3))
    train, val = join_records([first, second])
    assert [record['step'] for record in train] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [record['step'] for record in val] == [1, 2, 3, 4]
    assert train[4] is second[0] and val[2] is second[2]
    again = list(training(1))  # anew: what was there before is gone
    train, val = join_records([first, again])
    assert train == again[:2] and val == again[2:]
    assert join_records([first, [dict(mAP=1.0, step=3)]])[0] == [r for r in first if 'iter' in r]


def test_iterations_instead_of_epochs():
    runs = [[dict(iter=i, step=i, loss=1.0) for i in (10, 20, 30)] + [dict(mAP=0.1, step=20)]]
    runs.append([dict(iter=20, step=20, loss=2.0), dict(mAP=0.2, step=20)])
    train, val = join_records(runs)
    assert [record['loss'] for record in train] == [1.0, 2.0] and val == [dict(mAP=0.2, step=20)]
    (loss, metric) = charts_of(train, val, [])
    assert loss == Chart('loss', 'iteration', {'loss': ([10, 20], [1.0, 2.0])})
    assert metric == Chart('mAP', 'iteration', {'mAP': ([20], [0.2])})


def test_read_folders(work_dir):
    train = work_dir / 'train'
    write_run(train, '20260103_030405', config='new')
    with open(train / '20260102_030405' / 'vis_data' / 'scalars.json', 'a') as file:
        file.write('\n{"loss": 1.0, "st\n[1]\n{"loss": 1.0}')
    notes = []
    test, own = read_folders(work_dir, notes)
    assert (test.name, own.name) == ('test', 'train')
    assert test.test == {'corloc/mean': 50.0, f'corloc/{EVIL}': 1.0} and own.test == {}
    assert own.started == ['20260102_030405', '20260103_030405'] and own.config == 'new'
    assert len(own.train) == 6 and len(own.val) == 3
    assert len(notes) == 1 and 'scalars.json: 3 lines are no records' in notes[0]
    write_run(work_dir / 'test', '20260104_030405', test={'corloc/mean': 60.0})
    assert read_folders(work_dir / 'test', notes)[0][::6] == ('test', [])
    assert 'test: 1 older test results are not shown' in notes
    assert read_folders(work_dir / 'test', notes)[0].test == {'corloc/mean': 60.0}


def test_class_tables():
    notes = []
    first, second = class_tables(LOG, 'a.log', notes)
    rows = [[EVIL, '41', '0.907'], ['star', '5', '0.482'], ['cross', '38', '1.000']]
    foot = [['mAP', '', '0.796']]
    assert first == Table('validation after epoch 12', ['class', 'gts', 'ap'], rows, foot)
    assert second == Table('test run', ['category', 'CorLoc'], [['cat', '50.0']], [])
    assert notes == []
    broken = LOG.replace('| star ', '| st|ar ')
    assert len(class_tables(broken, 'a.log', notes)) == 1
    assert notes == ['a.log: a table per class has rows of different lengths']


def test_charts():
    records = list(training(2))
    train = [r | {'a.lr': 1.0, 'a.base_lr': 1.0} for r in records if 'iter' in r]
    train[1]['loss'] = float('nan')
    notes = []
    charts = charts_of(train, [r for r in records if 'iter' not in r], notes)
    x = [0.5, 1.0, 1.5, 2.0]
    assert charts[0] == Chart('loss', 'epoch', {'loss': ([0.5, 1.5, 2.0], [4.0, 4 / 3, 1.0])})
    assert charts[1] == Chart('parts of the loss', 'epoch', {'s0.loss_cls': (x, [3, 1.5, 1, 0.75])})
    rates = {'lr': (x, [0.1, 0.05, 0.1 / 3, 0.025]), 'a.lr': (x, [1.0] * 4)}
    assert charts[2] == Chart('learning rate', 'epoch', rates)
    assert charts[3] == Chart('drop_rate', 'epoch', {'drop_rate': (x, [0.01, 0.02, 0.03, 0.04])})
    mean = {'pascal_voc/mAP': ([1, 2], [0.1, 0.2])}
    assert charts[4:] == [Chart('pascal_voc/mAP', 'epoch', mean)]
    assert notes == ['1 values of loss are not finite']


def test_drawn_chart():
    chart = Chart('$a_', 'epoch', {'$x_': ([1, 2], [1.0, 2.0]), 'y': ([1, 2], [2.0, 1.0])})
    image = np.asarray(Image.open(io.BytesIO(draw(chart))).convert('RGB')).astype(int)
    assert image.shape == (450, 720, 3)

    def seen(color):
        places = np.argwhere(np.abs(image - color).sum(axis=2) < 12)
        return places[places[:, 0] < 350]  # above the legend

    rising, falling = seen((0x1F, 0x4E, 0x9C)), seen((0xD7, 0x53, 0x3B))
    for places, sign in ((rising, -1), (falling, 1)):  # rows count downwards
        assert len(places) > 200 and sign * np.corrcoef(places.T)[0, 1] > 0.9


def test_pictures(tmp_path):
    paths = [tmp_path / f'{name}.png' for name in 'abcde']
    for i, path in enumerate(paths):
        Image.new('RGB', (10 + i, 5)).save(path)
    notes = []
    shown = embed_files(paths, {}, 3, notes)
    assert [(p.caption, p.width) for p in shown] == [('a.png', 10), ('c.png', 12), ('e.png', 14)]
    ious = dict(d=0.75, b=0.5, c=0.9)
    shown = embed_files(paths, ious, 9, notes)
    known = ['c.png: IoU 0.90', 'd.png: IoU 0.75', 'b.png: IoU 0.50']
    assert [p.caption for p in shown] == [*known, 'a.png', 'e.png'] and notes == []
    assert [p.caption for p in embed_files(paths, ious, 1, notes)] == known[:1]
    paths[0].write_bytes(b'no picture')
    assert len(embed_files(paths, {}, 5, notes)) == 4
    assert len(notes) == 1 and 'a.png: no readable picture' in notes[0]
    large = embed(Image.new('RGBA', (300, 100)), '', max_side=150)
    assert (large.width, large.height) == (150, 50)


def test_folders_of_many_pictures_are_listed_in_one_pass(tmp_path, monkeypatch):
    """Comparisons of paths grow with their number, not with its square; a folder given twice."""
    for name in range(300):
        (tmp_path / f'{name}.png').touch()
    compared, equal = [], type(tmp_path).__eq__
    monkeypatch.setattr(type(tmp_path), '__eq__', lambda *a: compared.append(1) or equal(*a))
    found = picture_folders([tmp_path, tmp_path])
    assert len(compared) < 3000  # 300 x 299 / 2 are 44,850
    assert found == {tmp_path: sorted(tmp_path.iterdir())}


def test_numbers():
    values = (0.680306, 12, 9.3111, 1.5e-5, 0.0, float('nan'))
    assert [number(v) for v in values] == ['0.6803', '12', '9.311', '1.5e-05', '0', 'nan']


def test_page(work_dir):
    text, notes = build_report(work_dir)
    page = Page(text)
    headings = [t for t in page.texts if t in ('Metrics', 'Metrics per class', 'Curves')]
    assert headings == ['Metrics', 'Metrics per class', 'Curves']
    assert {'2026-01-02 03:04', 'train: validation', 'test: test run', 'corloc/mean'} <= set(
        page.texts
    )
    row = page.texts.index('pascal_voc/mAP')
    assert [t for t in page.texts[row:] if t][1:5] == ['0.1', '0.3', '0.3', '3']
    assert 'train: validation after epoch 12' in page.texts
    assert 'Error modes' not in page.texts and 'Best and worst images' not in page.texts
    assert notes == [
        'error modes, best and worst images: need --results and --config of a detector'
    ]
    assert notes[0] in page.texts
    charts = 'loss', 'parts of the loss', 'learning rate', EVIL, 'drop_rate', 'pascal_voc/mAP'
    named = [image['alt'].split(';')[0] for image in page.all('img')]
    assert named == [*charts, EVIL, FILE, 'script>.jpg']


def test_names_are_escaped(work_dir):
    page = Page(build_report(work_dir)[0])
    assert len(page.all('script')) == 1 and not any('onerror' in a for _, a in page.elements)
    folder = 'demo/pictures/<script>alert(1)<: 2 of 2'
    for name in (EVIL, f'corloc/{EVIL}', FILE, folder, f'# {EVIL}\nlr = 0.1'):
        assert name in page.texts


def test_page_stands_alone(work_dir):
    text, _ = build_report(work_dir)
    page = Page(text)
    assert all(image['src'].startswith('data:image/') for image in page.all('img'))
    assert not page.all('link') and not page.all('iframe')
    assert not any('src' in script for script in page.all('script'))
    assert not re.search(r'https?:|url\(|@import', text)
    policy = page.all('meta')[2]['content']
    assert "default-src 'none'" in policy


def test_written_whole_or_not_at_all(work_dir, monkeypatch):
    path, _ = write_report(work_dir)
    assert path == work_dir / 'report.html'
    before = path.read_bytes()
    assert before.rstrip().endswith(b'</html>')

    def full(*_):
        raise OSError('disk full')

    monkeypatch.setattr('os.replace', full)
    with pytest.raises(OSError, match='disk full'):
        write_report(work_dir)
    assert path.read_bytes() == before
    assert [p.name for p in work_dir.iterdir() if p.is_file()] == ['report.html']


def test_localizer_without_classes(tmp_path):
    """Only one regressor's log: the rest is named, and nothing is made up."""
    records = [dict(loss=1.0, loss_box=1.0, lr=0.1, base_lr=0.1, iter=4, epoch=1, step=4)]
    records.append({'wsol/gt_known_loc': 73.3, 'data_time': 0.1, 'step': 1})
    write_run(tmp_path, '20260102_030405', records)
    text, notes = build_report(tmp_path)
    assert [note.split(':')[0] for note in notes] == [
        'metrics per class',
        'error modes, best and worst images',
        'pictures of pseudo boxes and score maps',
        'configuration',
    ]
    assert {'wsol/gt_known_loc', '73.3', 'Not shown'} <= set(Page(text).texts)
    assert 'Metrics per class' not in Page(text).texts


def test_bad_input(tmp_path):
    with pytest.raises(FileNotFoundError, match='gone: no such folder'):
        build_report(tmp_path / 'gone')
    with pytest.raises(ValueError, match=r'no run \(a folder YYYYMMDD_HHMMSS'):
        build_report(tmp_path)
    write_run(tmp_path, '20260102_030405')
    with pytest.raises(ValueError, match='results and config go together'):
        build_report(tmp_path, results='results.pkl')
    with pytest.raises(ValueError, match='num must be at least 1, got 0'):
        build_report(tmp_path, num=0)
    with pytest.raises(FileNotFoundError, match='vis: no such folder of pictures'):
        build_report(tmp_path, pictures=[tmp_path / 'vis'])


CHECK = """
const errors = [];
addEventListener('error', event => errors.push(event.message || event.target.outerHTML), true);
addEventListener('securitypolicyviolation', event => errors.push(event.blockedURI));
window.alert = text => errors.push('alert ' + text);
addEventListener('load', () => {
  const table = [...document.querySelectorAll('table')].find(t => t.rows[0].cells.length === 3
    && t.rows[0].cells[1].textContent.trim() === 'gts');
  const column = n => [...table.tBodies[0].rows].map(row => row.cells[n].textContent);
  const sorted = [];
  for (const n of [1, 1, 0, 0]) {
    table.rows[0].cells[n].querySelector('button').click();
    const foot = table.tFoot.rows[0].cells[0].textContent;
    sorted.push([column(n), table.rows[0].cells[n].ariaSort, foot]);
  }
  const page = document.documentElement, pictures = [...document.images];
  parent.document.querySelector('pre').textContent = JSON.stringify({
    errors, sorted, width: innerWidth, needed: page.scrollWidth, loaded: pictures.length
      && pictures.every(image => image.complete && image.naturalWidth > 0),
    scrolls: pictures.some(image => image.parentElement.scrollWidth > innerWidth)});
});
"""


@pytest.mark.skipif(CHROMIUM is None, reason='needs chromium in PATH')
def test_in_a_browser(work_dir, tmp_path):
    """On a phone: no error, pictures load, tables sort, and only parts scroll sideways."""
    text = build_report(work_dir)[0].replace('<head>', f'<head><script>{CHECK}</script>', 1)
    frame = f'<iframe srcdoc="{html.escape(text)}" width="390" height="800"></iframe>'
    outer = tmp_path / 'outer.html'
    outer.write_text(f'<!DOCTYPE html><meta charset="utf-8"><pre></pre>{frame}')
    command = [CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--enable-logging=stderr']
    command += [f'--user-data-dir={tmp_path / "profile"}', '--dump-dom', outer.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert 'CONSOLE' not in done.stderr
    seen = json.loads(html.unescape(re.search(r'<pre>(.*?)</pre>', done.stdout, re.DOTALL)[1]))
    assert seen['errors'] == [] and seen['loaded'] is True
    assert seen['width'] <= 390 and seen['needed'] <= seen['width'] and seen['scrolls']
    assert seen['sorted'] == [
        [['41', '38', '5'], 'descending', 'mAP'],
        [['5', '38', '41'], 'ascending', 'mAP'],
        [[EVIL, 'cross', 'star'], 'ascending', 'mAP'],
        [['star', 'cross', EVIL], 'descending', 'mAP'],
    ]

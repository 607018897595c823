"""CSV files of labels and boxes as people have them: what is read, said and refused."""

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from wsl_plugins.datasets.prepare import checks, write
from wsl_plugins.files.formats.box_csv import read_box_csv
from wsl_plugins.files.formats.label_csv import read_label_csv
from wsl_plugins.proposals import ProposalFile

TOOL = Path(__file__).parents[2] / 'tools' / 'prepare_dataset.py'
SPEC = importlib.util.spec_from_file_location('prepare_dataset', TOOL)
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)
ONE = {'a.jpg': ['owl'], 'b.jpg': ['emu']}
BOTH = {'a.jpg': ['emu', 'owl'], 'b.jpg': ['emu']}
ABSENT = 'rows of labels verified to be absent (confidence 0)'
READ = {
    'comma': ('image,label\na.jpg,owl\nb.jpg,emu\n', ONE, 'separated by ","'),
    'semicolon': ('image;label\na.jpg;owl\nb.jpg;emu\n', ONE, 'separated by ";"'),
    'tab': ('image\tlabel\na.jpg\towl\nb.jpg\temu\n', ONE, 'separated by tab'),
    'pipe': ('image|label\na.jpg|owl\nb.jpg|emu\n', ONE, 'separated by "|"'),
    'declared': ('sep=;\nimage;label\na.jpg;owl\nb.jpg;emu\n', ONE, 'separated by ";"'),
    'declared colon': ('sep=:\nimage:label\na.jpg:owl\nb.jpg:emu\n', ONE, 'separated by :'),
    'mark and line ends': ('\ufeffimage,label\r\na.jpg,owl\r\nb.jpg,emu\r\n\r\n\r\n', ONE, ''),
    'old line ends': ('image,label\ra.jpg,owl\rb.jpg,emu\r', ONE, ''),
    'quotes': ('"image";"label"\n"a.jpg";"owl"\n"b.jpg"; "emu"\n', ONE, 'separated by ";"'),
    'empty lines and cells': ('\nimage,label,,\n\na.jpg,owl,,\n,,,\nb.jpg,emu,,\n', ONE, ''),
    'blanks': (' Image , LABEL \n a.jpg , owl\n./b.jpg,emu \n', ONE, 'images in "Image"'),
    'other names': ('ImageID,LabelName\na.jpg,owl\nb.jpg,emu\n', ONE, 'labels in "LabelName"'),
    'file and class': ('class,File Name\nowl,a.jpg\nemu,b.jpg\n', ONE, 'images in "File Name"'),
    'id': ('id,class,image_size\na.jpg,owl,7\nb.jpg,emu,7\n', ONE, 'not read: "image_size"'),
    'usual names go first': (
        'id,path,image,class,label\n1,x,a.jpg,7,owl\n2,x,b.jpg,8,emu\n',
        ONE,
        'images in "image", labels in "label"; not read: "id", "path", "class"',
    ),
    'a note that holds another sign': ('image;label;x,y\na.jpg;owl;\nb.jpg;emu;1,2\n', ONE, '";"'),
    'semicolons in cells': ('image,label\na.jpg,owl; emu\nb.jpg,emu\n', BOTH, 'separated by ";"'),
    'pipes in cells': (
        'image,label\na.jpg,owl|emu\nb.jpg,emu\n',
        BOTH,
        'in a cell separated by "|"',
    ),
    'commas in cells': (
        'image,label\na.jpg,"owl, emu"\nb.jpg,emu\nc.jpg,owl\n',
        {**BOTH, 'c.jpg': ['owl']},
        'several in a cell separated by ","',
    ),
    'commas between semicolons': (
        'image;label\na.jpg;owl,emu\nb.jpg;emu,owl\n',
        {'a.jpg': ['emu', 'owl'], 'b.jpg': ['emu', 'owl']},
        'several in a cell separated by ","',
    ),
    'several rows': ('image,label\na.jpg,owl\nb.jpg,emu\na.jpg,emu\n', BOTH, ''),
    'one row per object': (
        'filename,width,height,class,xmin,ymin,xmax,ymax\n'
        'a.jpg,9,9,owl,1,1,5,5\na.jpg,9,9,owl,2,2,6,6\nb.jpg,9,9,emu,1,1,"2,5",3\n',
        ONE,
        'one row per object; not read: "width", "height", "xmin", "ymin", "xmax", "ymax"',
    ),
    'objects in one cell': (
        'image,label,bbox\na.jpg,owl,"[1, 1, 5, 5]"\na.jpg,owl,x\nb.jpg,emu,x\n',
        ONE,
        'one row per object',
    ),
    'objects of a label tool': (
        'label_name,bbox_x,bbox_y,bbox_width,bbox_height,image_name,image_width\n'
        'owl,1,1,5,5,a.jpg,9\nowl,1,1,6,6,a.jpg,9\nemu,1,1,5,5,b.jpg,9\n',
        ONE,
        'one row per object',
    ),
    'confidence': (
        'image,label,Confidence\na.jpg,owl,1\na.jpg,emu,0\nb.jpg,emu,1.0\n',
        ONE,
        '"Confidence" 0 is absent',
        {ABSENT: 1},
    ),
    'nothing is there': (
        'image,label,confidence\na.jpg,owl,1\nb.jpg,emu,1\nc.jpg,emu,0\n',
        {**ONE, 'c.jpg': []},
        '',
        {ABSENT: 1, 'images without a label': 1},
    ),
    'one column per class': (
        'image,owl,emu\na.jpg,1,1\nb.jpg,0,1\n',
        BOTH,
        'per class: "owl", "emu"',
    ),
    'words for bits': ('image,owl,emu\na.jpg,True,FALSE\nb.jpg,false,true\n', ONE, 'per class'),
    'decimal commas': ('image;owl;emu\na.jpg;1,0;0,0\nb.jpg;0,0;1,0\n', ONE, 'per class'),
    'other columns': (
        ',image,w,owl,emu,split\n0,a.jpg,64,1,0,x\n1,b.jpg,32,0,1,y\n',
        ONE,
        'per class: "owl", "emu"; not read: "w", "split"',
    ),
    'all zero': (
        'image,owl,emu,kiwi\na.jpg,1,0,0\nb.jpg,0,1,0\nc.jpg,0,0,0\n',
        {**ONE, 'c.jpg': []},
        '',
        {'images without a label': 1, 'classes without an image': 1},
    ),
}


def csv_file(folder, text, encoding='utf-8'):
    path = folder / 'labels.csv'
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize('name', READ)
def test_what_is_read(tmp_path, name):
    text, labels, found, *left_out = READ[name]
    path = csv_file(tmp_path, text)
    table = read_label_csv(path)
    assert {image: sorted(own) for image, own in table.labels.items()} == labels
    assert found in table.found and table.found.startswith(f'{path}: columns separated by ')
    assert '\n' not in table.found and [dict(table.left_out)] == (left_out or [{}])


REFUSED = {
    'wide with mark': (('image,label\na.jpg,owl\n', 'utf-16'), 'UTF-16, save it as UTF-8'),
    'wide': (('image,label\na.jpg,owl\n', 'utf-16-le'), 'UTF-16, save it as UTF-8'),
    'latin': (('image,label\na.jpg,Käuzchen\n', 'latin-1'), 'labels.csv: not a utf-8 text file'),
    'empty': ('\n,,\n', 'labels.csv: is empty; the first line names the columns, such as image,l'),
    'line break in the heading': ('"photo\nname",label\nx,y\n', 'got "photo name", "label"; the'),
    'no heading': ('a.jpg,owl\n', 'csv:1: no column of images .*got "a.jpg", "owl"; .*--image-col'),
    'blanks between columns': ('image label\na.jpg owl\n', 'no column of images .*"image label"'),
    'two images': ('file,path,label\nx,y,z\n', '1: several .*: "file", "path"; --image-column tel'),
    'two labels': ('image,class,tag\nx,y,z\n', 'meant: "class", "tag"; --label-column tells which'),
    'twins': ('image,label,Label\nx,y,z\n', 'meant: "label", "Label"; --label-column tells which'),
    'two signs': ('photo;x,y\na;b,c\n', 'may be separated by "," or by ";": .* as "sep=;"'),
    'no label': (
        'image,kind\na.jpg,owl\n',
        'no column of labels .*got "image", "kind"; --label-co',
    ),
    'open quote': (
        'image,label\na.jpg,"owl\nb.jpg,emu\n',
        'not a CSV file: .*does a quote not end',
    ),
    'name with comma': (
        'image,label\na.jpg,"tench, Tinca"\nb.jpg,owl\n',
        r"'tench, Tinca' may be one or several: give --label-separator \",\" .* none if one",
    ),
    'half known commas': ('image,label\na.jpg,"owl, great"\nb.jpg,owl\n', 'may be one or several'),
    'blanks between labels': (
        'fname,labels\na.jpg,owl emu\nb.jpg,emu\nc.jpg,owl\n',
        '\'owl emu\' may be one or several: give --label-separator " " if several',
    ),
    'two label signs': (
        'image,label\na.jpg,owl;emu\nb.jpg,"emu,owl"\n',
        '\'owl;emu\' and \'emu,owl\' may be .* ";" or --label-separator "," if several',
    ),
    'lists': ("image,label\na.jpg,\"['owl', 'emu']\"\n", 'is a list in brackets: write a;b'),
    'repeated': ('image,label\na.jpg,owl\na.jpg,owl\n', r"line 3: .*'owl' already \(line 2\)"),
    'half a confidence': (
        'image,label,confidence\na.jpg,owl,0.4\n',
        r"line 2: confidence of image 'a.jpg' must be 1 \(there\) or 0 .*, got '0.4'",
    ),
    'no confidence': ('image,label,confidence\na.jpg,owl\n', "must be 1 .* got ''"),
    'there and absent': (
        'image,label,confidence\na.jpg,owl,0\na.jpg,owl,1\n',
        "line 2: label 'owl' of image 'a.jpg' is there in line 3",
    ),
    'all absent': ('image,label,confidence\na.jpg,owl,0\n', 'labels.csv: .*: no image has a label'),
    'uncertain': (
        'image,owl,emu\na.jpg,1,0\nb.jpg,0,-1\n',
        "line 3: 'emu' must be 0 or 1, got '-1'",
    ),
    'no bit': ('image,owl,emu\na.jpg,1,0\nb.jpg,0,\n', "line 3: 'emu' must be 0 or 1, got ''"),
    'two rows of bits': (
        'image,owl,emu\na.jpg,1,0\na.jpg,0,1\n',
        r"'a.jpg' has a row already \(li",
    ),
    'twin classes': ('image,owl,owl\na.jpg,1,0\n', "two columns are called 'owl'"),
    'probabilities': ('image,owl,emu\na.jpg,0.2,0.8\n', 'none of 0 and 1 for a class'),
    'unquoted': (
        'image,label\na.jpg,owl,emu\n',
        r"more cells .*: \['emu'\]; a cell with \",\" in it",
    ),
}


@pytest.mark.parametrize('name', REFUSED)
def test_what_is_refused(tmp_path, name):
    text, message = REFUSED[name]
    path = csv_file(tmp_path, *([text] if isinstance(text, str) else text))
    with pytest.raises(ValueError, match=message) as caught:
        read_label_csv(path)
    assert str(caught.value).startswith(str(path)) and '\n' not in str(caught.value)


def test_options(tmp_path):
    path = csv_file(tmp_path, 'file,path,label\n7,a.jpg,"tench, Tinca"\n8,b.jpg,"a;b,c"\n')
    assert read_label_csv(path, 'path', label_separator='none').labels == {
        'a.jpg': {'tench, Tinca': 2},
        'b.jpg': {'a;b,c': 3},
    }
    assert sorted(read_label_csv(path, 'path', label_separator=',').labels['b.jpg']) == ['a;b', 'c']
    by_file = read_label_csv(path, 'path', 'file').labels
    assert by_file == {'a.jpg': {'7': 2}, 'b.jpg': {'8': 3}}
    path = csv_file(tmp_path, 'photo;a,b\nx;owl  emu\n')
    assert read_label_csv(path, 'photo', 'a,b', ' ').labels == {'x': {'owl': 2, 'emu': 2}}
    with pytest.raises(ValueError, match=r"no column 'foto' \(--image-column\), got \"photo"):
        read_label_csv(csv_file(tmp_path, 'photo,label\nx,owl\n'), 'foto')
    with pytest.raises(ValueError, match='--label-separator must be a sign or "none"'):
        read_label_csv(path, 'photo', label_separator='')


BOXES = {
    'no heading': ('a,1,2,3,4\nb,1,2,3,4.5\n', '","'),
    'semicolon': ('a;1;2;3;4\nb;1;2;3;4,5\n', '";", decimal commas'),
    'commas in every number': ('a;1,0;2,0;3,0;4,0\nb;1,0;2,0;3,0;4,5\n', '";", decimal commas'),
    'other names': ('Image ID\tXMin\tYMin\tXMax\tYMax\na\t1\t2\t3\t4\nb\t1\t2\t3\t4.5\n', 'tab'),
    'other order': (
        '\ufeffx2,y2,x1,y1,name,class\r\n3,4,1,2,a,owl\r\n3,4.5,1,2,b,emu\r\n\r\n',
        '","; not read: "class"',
    ),
    'an image called name': ('name,1,2,3,4\n', '","'),
}


@pytest.mark.parametrize('name', BOXES)
def test_boxes(tmp_path, name):
    text, how = BOXES[name]
    table = read_box_csv(csv_file(tmp_path, text))
    boxes = [(image, box) for image, box, _ in table.rows]
    expected = [('a', [1, 2, 3, 4]), ('b', [1, 2, 3, 4.5])]
    assert boxes == (expected if len(boxes) > 1 else [('name', [1, 2, 3, 4])])
    assert (
        table.how == f'columns separated by {how}' and np.isnan([s for *_, s in table.rows]).all()
    )


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('image,x,y,width,height\na,1,2,3,4\n', 'labels.csv:1: no columns of corners, such as x0'),
        ('img,file,x0,y0,x1,y1\n', 'columns may be meant: "img", "file"; rename one'),
        ('image,x0,y0,x1,y1\na,1,2,3,4,5\n', r"line 2: more cells than columns: \['5'\]"),
        ('image,x0,y0,x1,y1\na,1,2,3\n', "labels.csv:2: a number is needed, got ''"),
        ('a,"1,5",2,3,4\n', "labels.csv:1: a number is needed, got '1,5'"),
    ],
)
def test_bad_boxes(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_box_csv(csv_file(tmp_path, text))


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """12 images; as proposals the whole of those that are not tiny."""
    folder = tmp_path / 'photos'
    folder.mkdir()
    for n in range(12):
        image = np.full((30, 40, 3), n, np.uint8)
        image[8:22, 10:30] = 200
        cv2.imwrite(str(folder / f'{n}.png'), image)

    def generate(images, recipe, out, workers):
        boxes = {}
        for image_id, path in images.items():
            height, width = cv2.imread(str(path)).shape[:2]
            large = min(width, height) >= 20
            boxes[image_id] = np.array([[0, 0, width, height]] * large).reshape(-1, 4)
        proposals = ProposalFile.from_images(boxes)
        proposals.save(out)
        return proposals

    monkeypatch.setattr(write, 'generate', generate)
    return folder


def prepare(photos, rows, *more, heading='image,label'):
    """Status of the tool and the prepared labels of each image."""
    path = csv_file(photos.parent, '\n'.join([heading, *rows]))
    out = photos.parent / 'out'
    args = ['csv', path, '--images', photos, '--task', 'detector', '--out', out, *more]
    status = tool.main([*map(str, args), '--weights', 'none', '--workers', '1'])
    labels = {}
    for split in ('train', 'test') if status == 0 else ():
        content = json.loads((out / 'annotations' / f'{split}.json').read_text())
        names = {row['id']: row['name'] for row in content['categories']}
        files = {row['id']: row['file_name'] for row in content['images']}
        labels |= {name: [] for name in files.values()}
        for row in content['annotations']:
            labels[files[row['image_id']]].append(names[row['category_id']])
    return status, labels


def test_forms_as_a_command(photos, capsys):
    want = {f'{n}.png': ['owl', 'emu'][n % 2 :][:1] for n in range(12)}
    rows = [f'{n};{int(n % 2 == 0)};{n % 2};{n % 3}x' for n in range(12)]  # names without suffix
    assert prepare(photos, rows, heading='Image;owl;emu;note') == (0, want)
    shown = capsys.readouterr().out
    path = photos.parent / 'labels.csv'
    assert shown.splitlines()[0] == (
        f'{path}: columns separated by ";", images in "Image", one column per class: "owl", "emu"; '
        'not read: "note"'
    )
    assert 'left out' not in shown
    rows = [f'{n}.png,{("owl", "emu")[m]},{int(n % 2 == m)}' for n in range(12) for m in (0, 1)]
    rows += ['12.png,owl,0']
    cv2.imwrite(str(photos / '12.png'), np.zeros((30, 40, 3), np.uint8))
    got = prepare(photos, rows, '--force', heading='image,label,confidence')
    assert got == (0, want)
    shown = capsys.readouterr().out
    assert f'left out: 13 {ABSENT}\n' in shown and 'left out: 1 images without a label\n' in shown
    assert 'without a row' not in shown  # the image without a label has one


def test_names_without_suffix(photos, capsys):
    rows = [f'{n},{("owl", "emu")[n % 2]}' for n in range(4)]
    cv2.imwrite(str(photos / '2.jpg'), np.zeros((30, 40, 3), np.uint8))
    assert prepare(photos, [*rows, '3.png,emu', '99,owl'])[0] == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "3 problems: line 4: no image '2' in" in error and "be '2.jpg' or '2.png'" in error
    assert "line 6: '3.png' is image '3.png', as '3' is; line 7: no image '99' in" in error
    assert not (photos.parent / 'out').exists()


def test_options_as_a_command(photos, capsys):
    rows = [f'{n}.png,x,"{("owl, great", "emu")[n % 2]}"' for n in range(12)]
    heading = 'photo,label,bird'
    names = ['--image-column', 'photo', '--label-column', 'bird']
    assert prepare(photos, rows, *names, heading=heading)[0] == 1
    assert "'owl, great' may be one or several: give --label-sep" in capsys.readouterr().err
    status, labels = prepare(photos, rows, *names, '--label-separator', 'none', heading=heading)
    assert status == 0 and labels['0.png'] == ['owl, great'] and labels['1.png'] == ['emu']


def test_images_without_proposal(photos, capsys):
    rows = [f'{n}.png,{("owl", "emu")[n % 2]}' for n in range(12)]
    for n in range(3):
        cv2.imwrite(str(photos / f'{n}.png'), np.zeros((9, 40, 3), np.uint8))
    (photos.parent / 'test.csv').write_text('image,label\n0.png,owl\n3.png,emu\n')
    assert prepare(photos, rows[1:3] + rows[4:], '--test', photos.parent / 'test.csv')[0] == 0
    shown = capsys.readouterr().out
    assert '9 proposals; without a proposal: 2 of 10 training images, 1 of 2 test images' in shown


def test_no_training_image_has_a_proposal(photos, capsys):
    rows = [f'{n}.png,{("owl", "emu")[n % 2]}' for n in range(12)]
    for n in range(12):
        cv2.imwrite(str(photos / f'{n}.png'), np.zeros((19, 40, 3), np.uint8))
    assert prepare(photos, rows)[0] == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert 'none of 10 training images has a proposal' in error
    assert not (photos.parent / 'out').exists()


def test_force_keeps_what_it_cannot_replace(photos, capsys, monkeypatch):
    none = np.zeros((0, 4), np.int32), None
    monkeypatch.setattr(checks, 'propose', lambda pixels, *_: none if len(pixels) < 20 else 1 / 0)
    rows = [f'{n}.png,{("owl", "emu")[n % 2]}' for n in range(12)]
    out = photos.parent / 'out'
    assert prepare(photos, rows)[0] == 0
    before = {path: path.read_bytes() for path in out.rglob('*') if path.is_file()}
    small = photos.parent / 'small'
    for n in range(12):
        small.mkdir(exist_ok=True)
        cv2.imwrite(str(small / f'{n}.png'), np.zeros((19, 40, 3), np.uint8))
    assert prepare(small, rows, '--force')[0] == 1
    assert 'none of 10 training images has a proposal' in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob('*') if path.is_file()} == before


def test_corners_are_no_classes(photos, capsys):
    """Also where they are 0 and 1 in all rows."""
    rows = [f'{n}.png,{n % 2},{(n + 1) % 2},30,20' for n in range(12)]
    assert prepare(photos, rows, heading='image,xmin,ymin,xmax,ymax')[0] == 1
    error = capsys.readouterr().err
    assert 'no column of labels' in error and '--label-column tells which it is' in error


@pytest.mark.parametrize(
    ('file', 'category', 'words'),
    [
        (
            'photos/{}.png',
            'owl',
            "none of the 12 images such as '0.png', it has 12 such as 'photos/0.png'",
        ),
        ('{}.png', 'Owl', "none of 2 test images has one; of other classes: ['Owl']"),
    ],
)
def test_boxes_of_other_names(photos, capsys, file, category, words):
    """What does not fit is named."""
    images = [dict(id=n, file_name=file.format(n), width=40, height=30) for n in range(12)]
    boxes = [dict(id=n, image_id=n, category_id=1, bbox=[1, 2, 20, 20]) for n in range(12)]
    content = dict(images=images, annotations=boxes, categories=[dict(id=1, name=category)])
    (photos.parent / 'boxes.json').write_text(json.dumps(content))
    rows = [f'{n}.png,{("owl", "emu")[n % 2]}' for n in range(12)]
    assert prepare(photos, rows, '--eval-boxes', photos.parent / 'boxes.json')[0] == 1
    error = capsys.readouterr().err
    assert words in error, error

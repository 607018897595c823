"""JSON files row by row: the values of json.loads, whatever the pieces in which a file is read."""

import json

import pytest

from wsl_plugins.files import json_rows, read_json_rows

CONTENT = {
    'info': {'a': [1, {'b': ']'}]},
    'images': [{'file_name': 'é "x"\\ü, }'}, [], 'text', -12.5e3, None, True, 1234567],
    'empty': [],
    'objects': [{'a': {'b': 1}, 'c': '}, {'}, {'d': [{}, {'e': 2}]}, {'f': 3}, {'}, {': '},'}, {}],
    'annotations': [{'bbox': [1, 2.5, 3, 4]}],
    'rate': 2.5e-07,
    'number': 123456789,
}


@pytest.mark.parametrize('options', [{}, {'indent': 1, 'ensure_ascii': False}])
def test_rows_and_what_is_left(tmp_path, monkeypatch, options):
    """Wherever the first piece ends: in a text, in a number."""
    text = '\ufeff \n' + json.dumps(CONTENT, **options) + '\n'
    path = tmp_path / 'a.json'
    path.write_text(text, encoding='utf-8')
    for chunk in range(1, len(text) + 1):
        monkeypatch.setattr(json_rows, 'CHUNK', chunk)
        rows = dict(images=[], empty=[], objects=[])
        found = read_json_rows(path, {key: value.append for key, value in rows.items()})
        assert rows == {key: CONTENT[key] for key in rows}
        assert found == {**CONTENT, **{key: len(value) for key, value in rows.items()}}


@pytest.mark.parametrize('chunk', [1, 2**20])
@pytest.mark.parametrize('text', ['[1, 2]', '12345', '"a"', '{}', ' {"image" : { } } ', 'null'])
def test_other_values(tmp_path, monkeypatch, chunk, text):
    monkeypatch.setattr(json_rows, 'CHUNK', chunk)
    (tmp_path / 'a.json').write_text(text)
    assert read_json_rows(tmp_path / 'a.json', dict(images=None)) == json.loads(text)


ROWS = [
    '[',
    '[1',
    '[1,',
    '[1,]}',
    '[1 2]}',
    '[,]}',
    '[1]',
    '[x]}',
    '[{},]}',
    '[{}},{}]}',
    '[{}, {}',
]
WRONG = [
    '',
    '{',
    '{"a"}',
    '{"a":',
    '{"a": 1',
    '{"a": 1,}',
    '{"a": 1 "b": 2}',
    '{1: 2}',
    '[1',
    '{} {}',
    '{"a": 1.}',
    '1.',
    '[1.e5]',
]
WRONG += [f'{{"images": {rows}' for rows in ROWS]


@pytest.mark.parametrize('chunk', [1, 2**20])
@pytest.mark.parametrize('text', WRONG)
def test_what_json_refuses_is_refused(tmp_path, monkeypatch, chunk, text):
    monkeypatch.setattr(json_rows, 'CHUNK', chunk)
    (tmp_path / 'a.json').write_text(text)
    with pytest.raises(ValueError):
        json.loads(text)
    with pytest.raises(ValueError, match=r'a\.json: not JSON: '):
        read_json_rows(tmp_path / 'a.json', dict(images=lambda row: None))


@pytest.mark.parametrize('rows', ['{}', 'null', '0', '[1], "images": [2]'])
def test_what_a_taker_gets_is_one_list(tmp_path, rows):
    """Two are not joined; of other keys the last one counts, as in json.loads."""
    (tmp_path / 'a.json').write_text(f'{{"a": 1, "a": 2, "images": {rows}}}')
    with pytest.raises(ValueError, match=r"a\.json: 'images' must be one list"):
        read_json_rows(tmp_path / 'a.json', dict(images=lambda row: None))
    assert read_json_rows(tmp_path / 'a.json', {})['a'] == 2


def test_other_text_and_errors_of_a_taker(tmp_path):
    (tmp_path / 'a.json').write_bytes(b'{"images": ["\xff"]}')
    with pytest.raises(ValueError, match=r"a\.json: not JSON: 'utf-8' codec"):
        read_json_rows(tmp_path / 'a.json', {})
    with pytest.raises(FileNotFoundError, match=r'b\.json: no such file'):
        read_json_rows(tmp_path / 'b.json', {})
    (tmp_path / 'a.json').write_text('{"images": [{}]}')
    with pytest.raises(KeyError, match='width'):
        read_json_rows(tmp_path / 'a.json', dict(images=lambda row: row['width']))


def test_a_large_list_is_not_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(json_rows, 'CHUNK', 1000)
    lengths, read = [], json_rows._Reader.more

    def more(reader):
        found = read(reader)
        lengths.append(len(reader.text))
        return found

    monkeypatch.setattr(json_rows._Reader, 'more', more)
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=list(range(50_000)))))
    total = []
    assert read_json_rows(tmp_path / 'a.json', dict(images=total.append)) == dict(images=50_000)
    assert total == list(range(50_000)) and len(lengths) > 200 and max(lengths) < 2000

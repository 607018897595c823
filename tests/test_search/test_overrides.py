"""Values put into configs."""

import pytest

from wsl_plugins.search.overrides import dicts_of_type, override


def test_dicts_of_type():
    cfg = dict(
        a=[dict(type='s.ADL', n=1), (dict(type='ADL', n=2), 'ADL')],
        b=dict(type='ADLX', inner=dict(type='ADL', n=3, type2=dict(type='s.t.ADL', n=4))),
        c=dict(type=dict),
    )
    assert [node['n'] for node in dicts_of_type(cfg, 'ADL')] == [1, 2, 3, 4]


def test_override_by_path_and_type():
    cfg = dict(a=dict(b=dict(c=1, d=2)), e=[dict(type='s.X'), dict(type='Y')])
    override(cfg, 'a.b.c', [3])
    override(cfg, 'X:k', 4)
    assert cfg == dict(a=dict(b=dict(c=[3], d=2)), e=[dict(type='s.X', k=4), dict(type='Y')])


@pytest.mark.parametrize(
    'target, message',
    [
        ('Z:k', 'no piece of type Z'),
        ('a.b.x', "'x' is not in a.b"),
        ('a.x.c', "'x' is not in a "),
        ('x', "'x' is not in the config"),
        ('a.b.c.d', "'d' is not in a.b.c"),
    ],
)
def test_no_such_place(target, message):
    cfg = dict(a=dict(b=dict(c=1)))
    with pytest.raises(ValueError, match=message):
        override(cfg, target, 0)
    assert cfg == dict(a=dict(b=dict(c=1)))

"""What all tables of bad input share."""

import pytest
from mmengine.registry import DefaultScope, init_default_scope


@pytest.fixture(autouse=True)
def _scope():
    """Names of data sets and transforms are those of mmdet."""
    before = DefaultScope.get_current_instance()
    init_default_scope('mmdet')
    yield
    init_default_scope(before.scope_name if before else 'mmengine')


@pytest.fixture
def unchanged(tmp_path):
    """The files and folders of a folder before the test and after it must be the same.

    Call it once all input is written; what the code under test leaves behind makes the test fail.
    """
    before = {}

    def look():
        return {path: path.stat().st_size for path in tmp_path.rglob('*') if path.is_file()}

    def remember():
        before.update(look())

    yield remember
    assert look() == before

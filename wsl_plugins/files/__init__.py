"""Files: how each format is read and written, and what all of them share.

Files may come from anywhere: nothing in them is run, and their size is known before they are read.
What is written is whole or not there at all. The formats are in :mod:`wsl_plugins.files.formats`.
"""

from wsl_plugins.files.arrays import read_npy, read_npz
from wsl_plugins.files.json_rows import read_json_rows
from wsl_plugins.files.limits import check_bytes
from wsl_plugins.files.mat import check_mat
from wsl_plugins.files.pickles import Fields, load_pickle
from wsl_plugins.files.text import file_errors, read_json, read_text, read_xml, read_yaml, short

__all__ = [
    'Fields',
    'check_bytes',
    'check_mat',
    'file_errors',
    'load_pickle',
    'read_json',
    'read_json_rows',
    'read_npy',
    'read_npz',
    'read_text',
    'read_xml',
    'read_yaml',
    'short',
]

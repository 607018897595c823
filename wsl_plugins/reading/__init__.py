"""Files that may come from anywhere: nothing in them is run, and their size is known before they
are read."""

from .arrays import read_npy, read_npz
from .json_rows import read_json_rows
from .limits import check_bytes
from .mat import check_mat
from .pickles import Fields, load_pickle
from .text import naming, read_json, read_text, read_xml, short

__all__ = [
    'Fields',
    'check_bytes',
    'check_mat',
    'load_pickle',
    'naming',
    'read_json',
    'read_json_rows',
    'read_npy',
    'read_npz',
    'read_text',
    'read_xml',
    'short',
]

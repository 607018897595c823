"""``python -m wsl_plugins COMMAND ...``: the command ``wsl-plugins`` of this Python.

Python imports a package before its ``__main__``, here torch even for ``--help``; ``python -m
wsl_plugins_cli`` is the same command without that.
"""

from wsl_plugins_cli import main

if __name__ == '__main__':
    main()

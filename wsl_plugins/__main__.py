"""``python -m wsl_plugins COMMAND ...``: the command ``wsl-plugins`` of this Python."""

from wsl_plugins_cli import main

if __name__ == '__main__':
    main()

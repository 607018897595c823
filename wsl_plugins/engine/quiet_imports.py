"""To be imported by commands before what imports mmdet: without the lines it prints meanwhile."""

from wsl_plugins.engine.console import import_hosts

import_hosts()

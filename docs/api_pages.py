"""MkDocs hook: a page of the site for each package, with its modules' public classes and functions.

The pages are made of the docstrings by mkdocstrings, which reads the source files: the package is
not imported. They are added to the navigation, as the section "API".
"""

from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PACKAGE = 'wsl_plugins'


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages to the navigation."""
    root = Path(config.config_file_path).parent
    pages = [{name.removeprefix(f'{PACKAGE}.'): uri(name)} for name in packages(root)]
    config.nav = [*(config.nav or []), {'API': pages}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    root = Path(config.config_file_path).parent
    for name, modules in packages(root).items():
        files.append(File.generated(config, uri(name), content=page(name, modules)))
    return files


def packages(root: Path) -> dict[str, list[str]]:
    """Each package to its public modules, as dotted names."""
    folders = sorted(path.parent for path in (root / PACKAGE).rglob('__init__.py'))
    found = {_dotted(folder, root): sorted(_modules(folder, root)) for folder in folders}
    return {name: modules for name, modules in found.items() if modules}


def _modules(folder: Path, root: Path) -> Iterator[str]:
    return (_dotted(path, root) for path in folder.glob('*.py') if path.name[0] != '_')


def _dotted(path: Path, root: Path) -> str:
    return '.'.join(path.relative_to(root).with_suffix('').parts)


def uri(package: str) -> str:
    """Where the page of a package is among the sources of the site."""
    return f'api/{package}.md'


def page(package: str, modules: list[str]) -> str:
    """Markdown of a page: the package's own docstring, then its modules."""
    options = '    options:\n      members: false\n      show_root_heading: false\n'
    about = f'# {package}\n\n::: {package}\n{options}'
    return '\n'.join([about, *(f'::: {module}\n' for module in modules)])

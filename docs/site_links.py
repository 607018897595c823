"""MkDocs hook: links of the documents to files outside ``docs/`` work in the site, too.

Documents link to files of the repository, ``../configs/oicr/README.md``, as GitHub needs it. This
hook takes each linked file into the site: Markdown as a page, a picture as it is, source code as a
page that shows it, a folder as its README. A link to nothing stays as it is, and the strict build
stops at it.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

DOCS = 'docs'
# The first page is docs/index.md, and MkDocs would put a README in its place
README = {'README.md': 'repository.md'}
PICTURES = ('.png', '.jpg')
LINK = re.compile(r'(?<=\]\()(?!\w+:|#)([^)#\s]+)')
SOURCE = '---\nsearch:\n  exclude: true\n---\n# {path}\n\n````{language}\n{code}\n````\n'


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that are linked, and those that these link to."""
    root = Path(config.config_file_path).parent
    open_pages = [repository_path(f.src_uri, root) for f in files.documentation_pages()]
    while open_pages:
        document = open_pages.pop()
        for path in linked_files(document, root):
            uri = site_uri(path)
            if path.startswith(f'{DOCS}/') or files.get_file_from_path(uri):
                continue
            if path.endswith(('.md', *PICTURES)):
                files.append(File.generated(config, uri, abs_src_path=str(root / path)))
                open_pages += [path] if path.endswith('.md') else []
            else:
                code = (root / path).read_text(encoding='utf-8').rstrip()
                language = Path(path).suffix.removeprefix('.') or 'text'
                text = SOURCE.format(path=path, language=language, code=code)
                files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of a page to where their files are in the site."""
    root = Path(config.config_file_path).parent
    here = page.file.src_uri
    document = repository_path(here, root)
    if not document.endswith('.md'):  # a page of source code
        return markdown

    def in_site(match: re.Match) -> str:
        path = target(document, match[1], root)
        return posixpath.relpath(site_uri(path), posixpath.dirname(here)) if path else match[1]

    return LINK.sub(in_site, markdown)


def linked_files(document: str, root: Path) -> Iterator[str]:
    """Repository paths of the files that a document links to, as far as they exist."""
    for link in LINK.findall((root / document).read_text(encoding='utf-8')):
        if path := target(document, link, root):
            yield path


def target(document: str, link: str, root: Path) -> str | None:
    """Repository path of the file behind a link of a document; a folder's is its README."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(document), link))
    if (root / path).is_dir():
        path = f'{path}/README.md'
    return path if (root / path).is_file() else None


def site_uri(path: str) -> str:
    """Where a file of the repository is among the sources of the site."""
    if path.startswith(f'{DOCS}/'):
        return path.removeprefix(f'{DOCS}/')
    if path in README:
        return README[path]
    return path if path.endswith(('.md', *PICTURES)) else f'{path}.md'


def repository_path(uri: str, root: Path) -> str:
    """Inverse of :func:`site_uri`."""
    if uri in README.values():
        return next(path for path, there in README.items() if there == uri)
    if (root / DOCS / uri).is_file():
        return f'{DOCS}/{uri}'
    return uri if (root / uri).is_file() else uri.removesuffix('.md')

"""Known vulnerabilities of the installed packages: a report, which never fails.

pip-audit, in an environment of its own (.venv/audit), asks the advisories of the package index. It
calls a package that the index does not know "skipped" and the result clean, so what was not looked
up is counted here: without the advisories nothing is clean, only unknown.
"""

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / '.venv/audit'
SECONDS = 180  # of each step
OWN = ('wsl_plugins', 'wsl-plugins')  # not on any index


def summary(found: dict) -> list[str]:
    """Lines about the JSON of pip-audit.

    Example:
        >>> summary(dict(dependencies=[dict(name='a', skip_reason='not found')]))
        ['audit: 0 of 1 packages looked up, nothing is known: no advisories within reach?']
    """
    packages = [p for p in found['dependencies'] if p['name'] not in OWN]
    known = [p for p in packages if 'skip_reason' not in p]
    if not known:
        return [
            f'audit: 0 of {len(packages)} packages looked up, nothing is known: no advisories '
            'within reach?'
        ]
    lines = []
    for package in known:
        for advisory in package.get('vulns', ()):
            fixed = ', '.join(advisory['fix_versions']) or 'no version'
            name = f'{package["name"]} {package["version"]}'
            lines.append(f'audit: {name}: {advisory["id"]}, mended in {fixed}')
    lines.append(
        f'audit: {len(known)} of {len(packages)} packages looked up, {len(lines)} advisories'
    )
    skipped = [p['name'] for p in packages if 'skip_reason' in p]
    if skipped:
        lines.append(f'audit: not looked up: {", ".join(skipped)}')
    return lines


def main() -> None:
    pip_audit = FOLDER / 'bin/pip-audit'
    pip = [FOLDER / 'bin/python', '-m', 'pip', '--disable-pip-version-check', 'install', '--quiet']
    places = dict.fromkeys(sysconfig.get_path(name) for name in ('purelib', 'platlib'))
    audit = [pip_audit, '--format', 'json', '--progress-spinner', 'off', '--timeout', '10']
    audit += [word for place in places for word in ('--path', place)]
    try:
        if not pip_audit.is_file():
            venv.create(FOLDER, with_pip=True)
            subprocess.run(
                [*pip, '-r', ROOT / 'requirements/audit.txt'],
                check=True,
                timeout=SECONDS,
                capture_output=True,
            )
        done = subprocess.run(audit, capture_output=True, text=True, timeout=SECONDS)
        lines = summary(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        print(f'audit: not done: {error}')
        return
    print('\n'.join(lines))


if __name__ == '__main__':
    sys.exit(main())

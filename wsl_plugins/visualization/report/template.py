"""The page as a Jinja template; Jinja escapes every text that is put in."""

from jinja2 import Environment, StrictUndefined

_STYLE = """
:root { color-scheme: light }
body { margin: 0 auto; max-width: 1240px; padding: 0 12px 40px; background: #fff; color: #1a1a1a;
  font: 16px/1.45 system-ui, sans-serif }
h1 { font-size: 1.6em; overflow-wrap: anywhere }
h2 { margin-top: 2em; border-bottom: 1px solid #ccc }
h3 { font-size: 1.05em; margin: 1.4em 0 .4em; overflow-wrap: anywhere }
p, li { overflow-wrap: anywhere } .note { color: #555; font-size: .9em }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .92em; font-variant-numeric: tabular-nums }
th, td { padding: 3px 10px; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #e4e4e4 }
th:first-child, td:first-child { text-align: left }
thead th { border-bottom: 2px solid #888; padding: 0 } tfoot td { font-weight: 600 }
th button { all: unset; cursor: pointer; padding: 5px 10px; font-weight: 600 }
th button:focus-visible { outline: 2px solid #1f4e9c }
th[aria-sort=ascending] button::after { content: " \\25B2" }
th[aria-sort=descending] button::after { content: " \\25BC" }
.bar { display: flex; width: 200px; height: 14px; print-color-adjust: exact;
  -webkit-print-color-adjust: exact }
.key { display: inline-block; width: 12px; height: 12px; print-color-adjust: exact;
  -webkit-print-color-adjust: exact }
.m0 { background: #1f4e9c } .m1 { background: #5aa2d6 } .m2 { background: #8fca8a }
.m3 { background: #f4b860 } .m4 { background: #d7533b }
.charts { display: grid; gap: 12px;
  grid-template-columns: repeat(auto-fill, minmax(min(330px, 100%), 1fr)) }
.charts img { width: 100%; height: auto }
.pictures { display: flex; flex-wrap: wrap; gap: 16px }
figure { margin: 0; max-width: 100%; break-inside: avoid }
figcaption { font-size: .85em; overflow-wrap: anywhere }
figure img { display: block } .fit { max-width: 590px }
.fit img { max-width: 100%; height: auto }
pre { overflow-x: auto; background: #f5f5f5; padding: 10px; font-size: 13px; line-height: 1.35 }
summary { cursor: pointer; padding: 4px 0; overflow-wrap: anywhere }
@media print { body { max-width: none; font-size: 12px } .scroll { overflow: visible }
  pre { white-space: pre-wrap } figure img { max-width: 100%; height: auto } }
"""

_SCRIPT = """
for (const button of document.querySelectorAll('th button')) button.onclick = () => {
  const th = button.parentElement, body = th.closest('table').tBodies[0];
  const rows = [...body.rows], text = row => row.cells[th.cellIndex].textContent.trim();
  const numeric = rows.every(row => text(row) === '' || text(row) === 'nan' || isFinite(text(row)));
  const empty = row => text(row) === '' || text(row) === 'nan';
  const first = numeric ? 'descending' : 'ascending';
  const second = numeric ? 'ascending' : 'descending';
  const order = th.getAttribute('aria-sort') === first ? second : first;
  const sign = order === 'ascending' ? 1 : -1;
  rows.sort((a, b) => empty(a) - empty(b) || sign * (numeric ? text(a) - text(b)
    : text(a).localeCompare(text(b))) || 0);
  for (const other of th.parentElement.cells) other.removeAttribute('aria-sort');
  th.setAttribute('aria-sort', order);
  body.append(...rows);
};
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:;
 style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>{{ style | safe }}</style>
</head>
<body>
{% macro table(content) %}
<div class="scroll"><table>
<thead><tr>
{% for name in content.head %}
<th><button type="button">{{ name }}</button></th>
{% endfor %}
{% if content.bars %}
<th></th>
{% endif %}
</tr></thead>
{% for part in ('tbody', 'tfoot') %}
<{{ part }}>
{% for row in (content.rows if part == 'tbody' else content.foot) %}
<tr>
{% for cell in row %}
<td>{{ cell }}</td>
{% endfor %}
{% if content.bars %}
{% set shares = content.bars[loop.index0 + (content.rows | length if part == 'tfoot' else 0)] %}
<td><div class="bar">
{% for share in shares %}
<span class="m{{ loop.index0 }}" style="width:{{ '%.2f' | format(share) }}%"></span>
{% endfor %}
</div></td>
{% endif %}
</tr>
{% endfor %}
</{{ part }}>
{% endfor %}
</table></div>
{% endmacro %}
{% macro figures(pictures, holder='scroll') %}
<div class="pictures">
{% for picture in pictures %}
<figure><div class="{{ holder }}"><img src="{{ picture.uri }}" alt="{{ picture.caption }}"
 width="{{ picture.width }}" height="{{ picture.height }}"></div>
<figcaption>{{ picture.caption }}</figcaption></figure>
{% endfor %}
</div>
{% endmacro %}
<h1>{{ title }}</h1>
{{ table(runs) }}
{% for data in prepared %}
<h2>Data</h2>
<p><strong>{{ data.verdict }}</strong></p>
{{ table(data.table) }}
{% for heading, lines in data.lists.items() if lines %}
<h3>{{ heading }}</h3>
<ul>
{% for line in lines %}
<li>{{ line }}</li>
{% endfor %}
</ul>
{% endfor %}
<p class="note">By tools/prepare_dataset.py, of {{ data.folder }}. Sides are pixels of the image
files, medians of the shorter side; recall and CorLoc are percent.</p>
{% endfor %}
{% if metrics %}
<h2>Metrics</h2>
{% for content in metrics %}
<h3>{{ content.title }}</h3>
{{ table(content) }}
{% endfor %}
{% endif %}
{% if per_class %}
<h2>Metrics per class</h2>
<p class="note">A click on the name of a column sorts the table.</p>
{% for content in per_class %}
<h3>{{ content.title }}</h3>
{{ table(content) }}
{% endfor %}
{% endif %}
{% if charts %}
<h2>Curves</h2>
{% for name, pictures in charts %}
<h3>{{ name }}</h3>
<div class="charts">
{% for picture in pictures %}
<figure><img src="{{ picture.uri }}" alt="{{ picture.caption }}"
 width="{{ picture.width }}" height="{{ picture.height }}"></figure>
{% endfor %}
</div>
{% endfor %}
{% endif %}
{% if modes %}
<h2>Error modes</h2>
<p>Where the top box of each class lies relative to the object that it fits best, in percent:
<span class="key m0"></span>&nbsp;correct (IoU above 0.5),
<span class="key m1"></span>&nbsp;inside the object,
<span class="key m2"></span>&nbsp;contains it,
<span class="key m3"></span>&nbsp;overlaps it otherwise,
<span class="key m4"></span>&nbsp;no overlap, which is also a class without any box.</p>
{{ table(modes) }}
{% endif %}
{% if best or worst %}
<h2>Best and worst images</h2>
<p>Left the objects, right the top box of each class that the image has. IoU: that of the top box
with the object it fits best, mean over the classes of the image.</p>
<h3>Best</h3>
{{ figures(best, 'fit') }}
<h3>Worst</h3>
{{ figures(worst, 'fit') }}
{% endif %}
{% if pictures %}
<h2>Pictures</h2>
{% for name, own in pictures %}
<h3>{{ name }}</h3>
{{ figures(own) }}
{% endfor %}
{% endif %}
{% if configs %}
<h2>Configuration</h2>
{% for name, text in configs %}
<details><summary>{{ name }}</summary><pre>{{ text }}</pre></details>
{% endfor %}
{% endif %}
{% if notes %}
<h2>Not shown</h2>
<ul>
{% for note in notes %}
<li>{{ note }}</li>
{% endfor %}
</ul>
{% endif %}
<script>{{ script | safe }}</script>
</body>
</html>
"""


def render(**content: object) -> str:
    """The page; :func:`wsl_plugins.visualization.report.build_report` names the parts."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_PAGE).render(style=_STYLE, script=_SCRIPT, **content)

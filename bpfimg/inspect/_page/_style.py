"""The one stylesheet of all pages: system fonts, light and dark, narrow screens and paper. Nothing is loaded.

The text of every colour has a contrast of 4.5 at least on what it stands on (WCAG 2.2 AA); nothing is told by colour
alone.
"""

from __future__ import annotations

from bpfimg.inspect._svg import style as drawings

_LIGHT = (
    "--bg:#fff;--fg:#1b2027;--dim:#545c66;--line:#cfd6de;--soft:#f3f5f8;--link:#0550ae;--code:#eceff3;"
    "--error:#a40e26;--warning:#7a4b00;--note:#1f5f3a;--mark:#fff3bf"
)
_DARK = (
    "--bg:#0d1117;--fg:#e6edf3;--dim:#a3acb8;--line:#39424e;--soft:#161c25;--link:#82b7ff;--code:#1f2733;"
    "--error:#ff9c96;--warning:#f2bd52;--note:#7ee2a2;--mark:#4a3b06"
)
_MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"

_PAGE = f"""
:root{{color-scheme:light dark;{_LIGHT}}}
@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}
*{{box-sizing:border-box}}
html{{scroll-padding-top:1rem}}
body{{margin:0;background:var(--bg);color:var(--fg);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}}
.skip{{position:absolute;left:-99rem}}
.skip:focus{{left:1rem;top:1rem;padding:.5rem 1rem;background:var(--bg);border:2px solid var(--link);z-index:1}}
header,nav,main,footer{{max-width:100rem;margin:0 auto;padding:0 1.25rem}}
header{{padding-top:1.25rem}}
h1{{font-size:1.75rem;line-height:1.2;margin:0 0 1rem}}
h2{{font-size:1.3rem;margin:2.5rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--line)}}
h3{{font-size:1.1rem;margin:1.75rem 0 .5rem}}
h4{{font-size:1rem;margin:1.25rem 0 .4rem}}
p{{margin:.5rem 0;max-width:75ch}}
a{{color:var(--link)}}
:focus-visible{{outline:3px solid var(--link);outline-offset:2px}}
nav ul{{list-style:none;padding:0;margin:1rem 0 0;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem}}
dl{{margin:.5rem 0;display:grid;gap:.15rem 1rem}}
dl div{{display:grid;grid-template-columns:11rem minmax(0,1fr);gap:1rem}}
dt{{color:var(--dim)}}
dd{{margin:0}}
ul.plain{{margin:.5rem 0;padding-left:1.2rem}}
.scroll{{overflow-x:auto;margin:.75rem 0;border:1px solid var(--line);border-radius:6px}}
table{{border-collapse:collapse;width:100%;font-size:.875rem;line-height:1.4}}
caption{{text-align:left;padding:.5rem .75rem;color:var(--dim)}}
caption span{{position:sticky;left:.75rem;display:inline-block;max-width:calc(100vw - 5rem)}}
th,td{{text-align:left;vertical-align:top;padding:.35rem .75rem;border-top:1px solid var(--line)}}
th,td{{max-width:26rem;overflow-wrap:break-word}}
th{{font-weight:600}}
thead th{{background:var(--soft);white-space:nowrap}}
tbody th[scope=rowgroup]{{background:var(--soft);max-width:none}}
.n{{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}}
td .w{{white-space:nowrap}}
code.d{{display:inline-block;min-width:17rem;overflow-wrap:anywhere}}
code,pre,.m{{font-family:{_MONO};font-size:.92em}}
code{{background:var(--code);border-radius:3px;padding:.05em .3em}}
pre{{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.75rem;overflow:auto}}
pre{{max-height:36rem;font-size:.8rem;line-height:1.45;overflow-wrap:normal}}
details{{margin:.15rem 0}}
summary{{cursor:pointer;color:var(--link)}}
.error{{color:var(--error)}}
.warning{{color:var(--warning)}}
.note{{color:var(--note)}}
.dim{{color:var(--dim)}}
tr:target,dl div:target{{background:var(--mark)}}
figure{{margin:.75rem 0}}
figcaption{{color:var(--dim);font-size:.875rem}}
footer{{color:var(--dim);font-size:.875rem;padding-top:1rem;padding-bottom:2rem;margin-top:2.5rem}}
@media (max-width:40rem){{
header,nav,main,footer{{padding-left:.75rem;padding-right:.75rem}}
dl div{{grid-template-columns:minmax(0,1fr);gap:0}}
dl{{gap:.5rem}}
h1{{font-size:1.4rem}}
}}
@media print{{
@page{{size:A4 landscape;margin:12mm}}
:root{{{_LIGHT}}}
body{{font-size:9pt}}
header,nav,main,footer{{max-width:none;padding:0}}
nav,.skip{{display:none}}
table{{font-size:7.5pt}}
th,td{{padding:.15rem .3rem;overflow-wrap:anywhere}}
.scroll,pre{{overflow:visible;max-height:none}}
tr,figure{{break-inside:avoid}}
h2,h3,h4{{break-after:avoid}}
svg{{max-width:100%;height:auto}}
a{{color:inherit}}
}}
@media print{{details::details-content{{content-visibility:visible}}}}
"""


def sheet() -> str:
    """The text between the tags of its element, without a letter more: its digest stands in the page."""
    return _PAGE.replace("\n", "") + drawings(".drawn ")


def digest(text: str) -> str:
    """As Content-Security-Policy names a stylesheet that may be there."""
    from base64 import b64encode
    from hashlib import sha256

    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"

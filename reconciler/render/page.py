"""The frame of an HTML document that stands alone: one file, nothing loaded, nothing executed.

The content security policy names the one style sheet by its hash, so even markup that slipped in could neither run nor
fetch anything.
"""

from __future__ import annotations

import base64
import hashlib
import html

from reconciler.render.wording import visible

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --paper: #fff; --faint: #60646c; --line: #d9d9e0; --box: #f6f6f8;
  --add: #18794e; --add-paper: #e6f6eb; --drop: #b3262d; --drop-paper: #ffebe9; --warn: #8a5a00; --warn-paper: #fff6d5;
  --note: #0b62c4; --note-paper: #e9f3ff; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --paper: #131417; --faint: #a6a9b0; --line: #3a3d44;
  --box: #1c1e22; --add: #6fdd9c; --add-paper: #10291c; --drop: #ff9a94; --drop-paper: #35191b; --warn: #ffd466;
  --warn-paper: #2d2408; --note: #8ec5ff; --note-paper: #0f2339; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem } h2 { font-size: 1.15rem; margin: 0 }
h3 { font-size: 1rem; margin: 0; display: flex; flex-wrap: wrap; gap: .25rem .6rem; align-items: baseline }
code, pre { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .875em }
ul.notes { list-style: none; padding: 0; margin: 1rem 0 }
ul.notes li { border-inline-start: .3rem solid; padding: .5rem .8rem; margin: .4rem 0; border-radius: .25rem }
.error { color: var(--drop); background: var(--drop-paper) }
.warning { color: var(--warn); background: var(--warn-paper) }
.notice { color: var(--note); background: var(--note-paper) }
.counts { display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; margin: 1rem 0; list-style: none }
.counts li, .chip { border: 1px solid var(--line); border-radius: 1rem; padding: .05rem .7rem; background: var(--box) }
.chip { font-size: .8rem; font-weight: normal } .faint { color: var(--faint) }
section { border: 1px solid var(--line); border-radius: .5rem; margin: 1rem 0; padding: 1rem }
article { border-top: 1px solid var(--line); margin-top: .8rem; padding-top: .8rem }
.create, ins { color: var(--add) } .delete, .detach, del { color: var(--drop) } .update { color: var(--warn) }
dl { margin: .5rem 0 0; display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .25rem 1rem }
dt { color: var(--faint) } dd { margin: 0 } ins { text-decoration: none }
details { margin: .5rem 0 0 } summary { cursor: pointer }
pre { margin: .4rem 0 0; padding: .6rem 0; border: 1px solid var(--line); border-radius: .35rem; background: var(--box);
  white-space: pre-wrap }
pre span { display: block; padding: 0 .8rem; unicode-bidi: plaintext }
pre .add { color: var(--add); background: var(--add-paper) }
pre .drop { color: var(--drop); background: var(--drop-paper) }
pre .place { color: var(--faint) }
footer { color: var(--faint); font-size: .875rem; margin-top: 2rem }
@media print { body { max-width: none; padding: 0; font-size: 10pt } section { break-inside: auto }
  article, ul.notes li { break-inside: avoid } details:not([open])::details-content { content-visibility: visible } }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .4rem } }
"""


def page(title: str, body: str, language: str) -> str:
    """The whole document; `title` is plain text, `body` is markup."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{shown(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def shown(text: str) -> str:
    """Text as markup that shows exactly it: fit for elements and for quoted attributes."""
    return html.escape(visible(text), quote=True)


def isolated(text: str) -> str:
    """The same for a value of somebody else's within a sentence of ours: its writing direction stays its own."""
    return f"<bdi>{shown(text)}</bdi>"

"""The look of cards and drawings, shared by the chat page and the report file: variables first, light and dark."""

from __future__ import annotations

#: Light values; every colour of a card is one of these.
LIGHT = """
  --fa-paper: #f7f6f3; --fa-surface: #ffffff; --fa-sunken: #f1efea; --fa-line: #e3e0d8; --fa-line-strong: #cfcbc0;
  --fa-ink: #1d2024; --fa-ink-2: #555a61; --fa-ink-3: #6f7378;
  --fa-accent: #1f6f5c; --fa-accent-ink: #ffffff; --fa-accent-soft: #e3efeb; --fa-accent-text: #175a4a;
  --fa-quiet: #b3afa5; --fa-quiet-best: #7f7b72;
  --fa-good: #1f6f5c; --fa-good-soft: #e3efeb; --fa-warn: #8a5a00; --fa-warn-soft: #fbf1dc;
  --fa-bad: #a8352b; --fa-bad-soft: #fae9e6; --fa-shadow: 0 1px 2px rgb(29 32 36 / 5%), 0 4px 16px rgb(29 32 36 / 4%);
"""
DARK = """
  --fa-paper: #131517; --fa-surface: #1b1e21; --fa-sunken: #24282b; --fa-line: #2e3337; --fa-line-strong: #434a4f;
  --fa-ink: #e9e9e6; --fa-ink-2: #b3b7b8; --fa-ink-3: #92989b;
  --fa-accent: #5cc4a8; --fa-accent-ink: #0d1f1a; --fa-accent-soft: #1d332d; --fa-accent-text: #86d8c1;
  --fa-quiet: #596066; --fa-quiet-best: #88919a;
  --fa-good: #5cc4a8; --fa-good-soft: #1d332d; --fa-warn: #e3b562; --fa-warn-soft: #352b18;
  --fa-bad: #ef8d82; --fa-bad-soft: #3a2320; --fa-shadow: 0 1px 2px rgb(0 0 0 / 30%);
"""
FONT = (
    '-apple-system, BlinkMacSystemFont, "Segoe UI", Inter, Roboto, "Noto Sans", "Helvetica Neue", Arial, '
    '"Liberation Sans", sans-serif'
)
MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace'

#: The frame of a report that stands by itself as a file.
PAGE = f"""
:root {{ color-scheme: light dark; {LIGHT} }}
@media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
body.fa-page {{ margin: 0; background: var(--fa-paper); color: var(--fa-ink); font: 16px/1.55 {FONT}; }}
.fa-page main {{ max-width: 820px; margin: 0 auto; padding: 32px 16px 64px; }}
.fa-page h1 {{ font-size: 1rem; font-weight: 600; color: var(--fa-ink-2); margin: 0 0 12px; }}
@media print {{ .fa-card {{ box-shadow: none; border: 0; }} details {{ break-inside: avoid; }} }}
"""

CARDS = f"""
.fa-card {{ background: var(--fa-surface); border: 1px solid var(--fa-line); border-radius: 14px; padding: 20px 22px;
  box-shadow: var(--fa-shadow); color: var(--fa-ink); font: 15px/1.55 {FONT}; overflow-wrap: anywhere; }}
.fa-card.fa-card > * + * {{ margin-top: 16px; }}
.fa-card h3 {{ font-size: 1.06rem; line-height: 1.35; font-weight: 650; margin: 0; color: var(--fa-ink); }}
.fa-card h4 {{ font-size: .82rem; font-weight: 600; color: var(--fa-ink-2); margin: 0 0 8px; }}
.fa-card p {{ margin: 0; }}
.fa-card p + p {{ margin-top: 8px; }}
.fa-sub, .fa-note {{ color: var(--fa-ink-3); font-size: .87rem; line-height: 1.45; }}
.fa-card p.fa-note {{ margin-top: 8px; }}
.fa-card code {{ font: .9em {MONO}; background: var(--fa-sunken); padding: .08em .35em; border-radius: 5px; }}
.fa-tag {{ display: inline-block; font-size: .78rem; font-weight: 600; line-height: 1; padding: 6px 10px;
  border-radius: 99px; background: var(--fa-sunken); color: var(--fa-ink-2); white-space: nowrap; }}
.fa-tag-better, .fa-tag-finished, .fa-tag-running {{ background: var(--fa-good-soft); color: var(--fa-accent-text); }}
.fa-tag-same, .fa-tag-not_enough_data, .fa-tag-cancelled, .fa-tag-interrupted {{ background: var(--fa-warn-soft);
  color: var(--fa-warn); }}
.fa-tag-worse, .fa-tag-failed {{ background: var(--fa-bad-soft); color: var(--fa-bad); }}
.fa-card p.fa-verdict {{ font-size: 1.4rem; line-height: 1.36; font-weight: 600; letter-spacing: -.012em;
  margin: 12px 0 16px; text-wrap: pretty; }}
.fa-facts {{ display: grid; grid-template-columns: repeat(3, 1fr); gap: 12px 20px; margin: 0;
  padding: 14px 0; border-block: 1px solid var(--fa-line); }}
.fa-facts dt {{ font-size: .78rem; color: var(--fa-ink-3); }}
.fa-facts dd {{ margin: 1px 0 0; font-size: .93rem; font-weight: 550; font-variant-numeric: tabular-nums; }}
.fa-notices {{ margin: 0; padding: 10px 14px 10px 30px; border-radius: 10px; background: var(--fa-warn-soft);
  color: var(--fa-ink); font-size: .9rem; list-style: disc; }}
.fa-notices li + li {{ margin-top: 4px; }}
.fa-notes li + li {{ margin-top: 6px; }}
.fa-notes {{ margin: 0; padding: 0; list-style: none; color: var(--fa-ink-3); font-size: .87rem; line-height: 1.45; }}
.fa-bars {{ display: grid; gap: 9px; }}
.fa-bar {{ display: grid; grid-template-columns: minmax(90px, 30%) minmax(60px, 1fr) minmax(122px, auto); gap: 12px;
  align-items: center; font-size: .9rem; line-height: 1.3; }}
.fa-bar-name {{ color: var(--fa-ink-2); }}
.fa-bar-model .fa-bar-name {{ color: var(--fa-ink); font-weight: 600; }}
.fa-bar-drawing {{ width: 100%; display: block; overflow: visible; }}
.fa-bar-value {{ font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; color: var(--fa-ink-2); }}
.fa-bar-value b {{ font-weight: 600; color: var(--fa-ink); }}
.fa-bar-value i {{ font-style: normal; font-size: .84em; color: var(--fa-ink-3); margin-left: 4px; }}
.fa-counts .fa-bar {{ grid-template-columns: minmax(70px, 28%) minmax(60px, 1fr) minmax(84px, auto); }}
.fa-track {{ fill: var(--fa-sunken); }}
.fa-fill {{ fill: var(--fa-quiet); }}
.fa-bar-model .fa-fill {{ fill: var(--fa-accent); }}
.fa-bar-best .fa-fill {{ fill: var(--fa-quiet-best); }}
.fa-whisker {{ stroke: var(--fa-ink); stroke-width: 1.5; }}
.fa-curves {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 18px 24px; }}
.fa-curve {{ margin: 0; min-width: 0; }}
.fa-curve figcaption {{ font-size: .82rem; font-weight: 600; color: var(--fa-ink-2); margin-bottom: 6px; }}
.fa-plot {{ position: relative; padding-right: 48px; }}
.fa-plot svg {{ display: block; width: 100%; height: 110px; overflow: visible; }}
.fa-axis-high, .fa-axis-low {{ position: absolute; right: 0; width: 42px; text-align: left; font-size: .72rem;
  line-height: 1; color: var(--fa-ink-3); font-variant-numeric: tabular-nums; white-space: nowrap; }}
.fa-axis-high {{ top: -3px; }} .fa-axis-low {{ bottom: -3px; }}
.fa-grid {{ stroke: var(--fa-line); stroke-width: 1; vector-effect: non-scaling-stroke; }}
.fa-line {{ fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; stroke-linejoin: round; }}
.fa-line-train {{ stroke: var(--fa-quiet-best); }}
.fa-line-validation {{ stroke: var(--fa-accent); }}
.fa-plot-foot {{ display: flex; flex-wrap: wrap; justify-content: space-between; gap: 2px 12px; margin: 5px 48px 0 0;
  font-size: .76rem; color: var(--fa-ink-3); font-variant-numeric: tabular-nums; }}
.fa-key::before {{ content: ""; display: inline-block; width: 12px; height: 2px; margin: 0 5px 3px 0;
  background: var(--fa-quiet-best); }}
.fa-key-validation::before {{ background: var(--fa-accent); }}
.fa-key b {{ font-weight: 600; color: var(--fa-ink-2); }}
.fa-scroll {{ overflow-x: auto; max-width: 100%; }}
.fa-table, .fa-matrix {{ border-collapse: collapse; font-size: .87rem; line-height: 1.4;
  font-variant-numeric: tabular-nums; margin: 0; }}
.fa-card table.fa-table, .fa-text table.fa-table {{ width: 100%; border: 0; }}
.fa-card table.fa-matrix, .fa-card table.fa-matrix tr, .fa-card table.fa-table tr {{ border: 0; }}
.fa-card .fa-corner {{ white-space: nowrap; }}
.fa-table th, .fa-matrix th {{ font-weight: 600; color: var(--fa-ink-3); font-size: .8rem; text-align: left; }}
.fa-table th, .fa-table td {{ padding: 7px 14px 7px 0; border: 0; border-bottom: 1px solid var(--fa-line);
  vertical-align: top; overflow-wrap: break-word; }}
.fa-table th:last-child, .fa-table td:last-child {{ padding-right: 0; }}
.fa-table tr:last-child td {{ border-bottom: 0; }}
.fa-number {{ white-space: nowrap; }}
.fa-card .fa-matrix th, .fa-matrix td {{ padding: 8px 12px; border: 0; text-align: center; max-width: 130px; }}
.fa-matrix th[scope=row], .fa-matrix th.fa-corner {{ text-align: left; font-weight: 500; }}
.fa-matrix td {{ min-width: 54px; border: 2px solid var(--fa-surface); border-radius: 6px; color: var(--fa-ink); }}
.fa-hit {{ background: color-mix(in srgb, var(--fa-accent) calc(8% + var(--share) * 34%), var(--fa-surface)); }}
.fa-miss {{ background: color-mix(in srgb, var(--fa-bad) calc(8% + var(--share) * 60%), var(--fa-surface)); }}
.fa-zero {{ background: var(--fa-sunken); }}
.fa-matrix td.fa-zero {{ color: var(--fa-ink-3); }}
.fa-card > .fa-fold {{ margin: 0; border-top: 1px solid var(--fa-line); }}
.fa-card.fa-card > * + .fa-fold {{ margin-top: 18px; }}
.fa-card.fa-card > .fa-fold + .fa-fold {{ margin-top: 0; }}
.fa-fold summary {{ cursor: pointer; padding: 12px 0; font-size: .92rem; font-weight: 550; list-style: none;
  display: flex; align-items: center; justify-content: space-between; }}
.fa-fold summary::-webkit-details-marker {{ display: none; }}
.fa-fold summary::after {{ content: ""; width: 7px; height: 7px; border: solid var(--fa-ink-3);
  border-width: 0 1.5px 1.5px 0; transform: rotate(45deg); margin: -4px 4px 0 12px; flex: none;
  transition: transform .15s; }}
.fa-fold[open] > summary::after {{ transform: rotate(225deg); margin-top: 4px; }}
.fa-fold-body {{ padding: 2px 0 16px; }}
.fa-mistakes {{ margin: 0; padding: 0; list-style: none; display: grid; gap: 14px; }}
.fa-mistakes blockquote {{ margin: 0; padding: 0 0 0 12px; border-left: 3px solid var(--fa-line-strong);
  color: var(--fa-ink-2); font-size: .9rem; white-space: pre-line; }}
.fa-tried {{ display: flex; flex-wrap: wrap; gap: 12px; margin-bottom: 8px; }}
.fa-tried figure {{ margin: 0; max-width: 160px; }}
.fa-tried figure img {{
  margin: 0; width: 160px; height: 160px; object-fit: contain; border-radius: 6px; display: block;
}}
.fa-tried figcaption {{ margin-top: 4px; font-size: .82rem; color: var(--fa-ink-3); }}
.fa-gallery {{ display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(128px, 1fr)); }}
.fa-gallery figure {{ margin: 0; }}
.fa-gallery figure img {{
  margin: 0; width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 6px; background: var(--fa-line);
}}
.fa-gallery figcaption {{ margin-top: 4px; font-size: .82rem; overflow-wrap: anywhere; }}
.fa-gallery i {{ font-style: normal; color: var(--fa-ink-3); }}
.fa-card .fa-matrix th img {{ display: block; width: 32px; height: 32px; object-fit: contain; margin: 0 auto 3px; }}
.fa-card .fa-matrix th[scope=row] img {{ margin-left: 0; }}
.fa-card .fa-matrix th {{ word-break: normal; overflow-wrap: break-word; }}
.fa-mistakes p {{ margin: 5px 0 0 15px; font-size: .87rem; }}
.fa-written {{ margin: 6px 0 0 15px; display: grid; gap: 4px; font-size: .87rem; }}
.fa-written div {{ display: grid; grid-template-columns: 5.5em 1fr; }}
.fa-written dt {{ color: var(--fa-ink-3); }}
.fa-written dd {{ margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }}
.fa-reads {{ margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; }}
.fa-mistakes i {{ font-style: normal; color: var(--fa-ink-3); }}
@media (max-width: 560px) {{
  .fa-card {{ padding: 16px; border-radius: 12px; }}
  .fa-card p.fa-verdict {{ font-size: 1.18rem; }}
  .fa-bar {{ grid-template-columns: 1fr auto; gap: 2px 10px; }}
  .fa-counts .fa-bar {{ grid-template-columns: 1fr auto; }}
  .fa-bar-drawing {{ grid-row: 2; grid-column: 1 / -1; }}
  .fa-facts {{ grid-template-columns: 1fr 1fr; }}
}}
"""

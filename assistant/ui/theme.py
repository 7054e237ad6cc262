"""The page's look: Gradio's chrome made quiet, one column, light and dark, from a phone to a desk."""

from __future__ import annotations

from html import escape

import gradio as gr

from assistant.report import style

PLACEHOLDER = "Type here, or add a file …"
BRAND = (
    '<div class="fa-brand"><svg width="22" height="22" viewBox="0 0 22 22" aria-hidden="true">'
    '<rect width="22" height="22" rx="6" fill="var(--fa-accent)"/>'
    '<path d="M5 15.5 C8 15.5 8.5 6.5 11.5 6.5 S14.5 11 17 11" fill="none" stroke="var(--fa-accent-ink)" '
    'stroke-width="2" stroke-linecap="round"/></svg><b>Finetune Assistant</b></div>'
)
#: Keeps the conversation's id in the address: the second carrier where a frame may not store anything.
ADDRESS_JS = """(id) => { const url = new URL(window.location.href);
  if (id) { url.searchParams.set('chat', id); } else { url.searchParams.delete('chat'); }
  if (url.href !== window.location.href) { window.history.replaceState(window.history.state, '', url); }
  if (window.parent !== window) {
    window.parent.postMessage({ queryString: url.search }, 'https://huggingface.co'); } }"""

#: Buttons inside cards say their sentence; the view follows new messages unless the reader scrolled up; folds stay
#: as the reader left them.
SCRIPT = """
(() => {
  const opened = new Set(), closed = new Set();
  let follow = true, count = 0, height = 0, ours = 0, until = 0, newest = null, watched = null;
  const say = (wish) => {
    const field = document.querySelector('#fa-say textarea, #fa-say input'), go = document.querySelector('#fa-say-go');
    if (!field || !go || document.querySelector('.fa-thinking')) return;
    field.value = JSON.stringify(wish);
    field.dispatchEvent(new Event('input', { bubbles: true }));
    window.setTimeout(() => go.click(), 60);
  };
  document.addEventListener('click', (event) => {
    const button = event.target.closest && event.target.closest('[data-say], [data-example]');
    if (button) {
      const { example, say: words } = button.dataset;
      say(example ? { example } : { say: words });
      return;
    }
    const summary = event.target.closest && event.target.closest('.fa-fold > summary');
    if (summary) {
      const fold = summary.parentElement, key = fold.dataset.key;
      (fold.open ? closed : opened).add(key); (fold.open ? opened : closed).delete(key);
    }
  });
  const area = () => document.querySelector('#fa-chat .panel-wrap');
  document.addEventListener('scroll', (event) => {
    const box = area();
    if (!box || event.target !== box) return;
    if (performance.now() < ours) return;
    follow = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
    newest = null;
  }, true);
  ['wheel', 'touchmove'].forEach((kind) => document.addEventListener(kind, () => { ours = 0; newest = null; },
    { passive: true }));
  const scroll = (box, top) => { ours = performance.now() + 150; box.scrollTop = top; };
  const place = (box) => {
    if (newest.classList.contains('fa-welcome')) { scroll(box, 0); return; }
    const message = newest.closest('[data-testid=bot], [data-testid=user]') || newest;
    const tall = message.offsetHeight > box.clientHeight - 40;
    const top = message.getBoundingClientRect().top - box.getBoundingClientRect().top - 16;
    scroll(box, tall ? box.scrollTop + top : box.scrollHeight);
    follow = !tall;
  };
  const settle = () => {
    document.querySelectorAll('.fa-fold[data-key]').forEach((fold) => {
      if (opened.has(fold.dataset.key) && !fold.open) fold.open = true;
      if (closed.has(fold.dataset.key) && fold.open) fold.open = false;
    });
    const box = area();
    if (!box) return;
    if (box !== watched) { watched = box; resized.disconnect(); resized.observe(box); }  /* the settings open below */
    const rows = box.querySelectorAll('.fa-said, .fa-text, .fa-card, .fa-thinking, .fa-welcome');
    const last = rows[rows.length - 1], grown = box.scrollHeight !== height;
    if (last && rows.length !== count) {
      if (count === 0 || follow || last.classList.contains('fa-thinking')) {
        newest = last;
        until = performance.now() + 1500;
        place(box);
      }
      count = rows.length;
    } else if (newest && newest.isConnected && grown && performance.now() < until) {
      place(box);  /* it was not drawn in full yet */
    } else if (follow && box.scrollHeight > height) {
      scroll(box, box.scrollHeight);
    }
    height = box.scrollHeight;
  };
  let waiting = false;
  const resized = new ResizeObserver(() => {
    const box = area();
    if (box && follow && !box.querySelector('.fa-welcome')) scroll(box, box.scrollHeight);
  });
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    window.requestAnimationFrame(() => { waiting = false; settle(); });
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ['open'] });
})();
"""
HEAD = (
    '<meta name="referrer" content="no-referrer"><meta name="color-scheme" content="light dark">'
    f"<script>{SCRIPT}</script>"
)


_TRIES = {
    "text": "type a text and see what it says",
    "image": "add a picture and see what it says",
    "audio": "record something, or add a recording, and see what it says",
}


def mode(trying: bool, tries: str = "text") -> str:
    """The line above the box while what is sent goes to the model.

    Args:
        tries: what the model answers to: text, image or audio.
    """
    if not trying:
        return ""
    return (
        f'<div class="fa-mode"><span>Trying the model: {_TRIES.get(tries, _TRIES["text"])}.</span>'
        '<button type="button" class="fa-link" data-say="stop trying the model">Back to the chat</button></div>'
    )


def reader(model: str, host: str) -> str:
    """The line below the box while a second reader is on."""
    return (
        f'<p class="fa-reader">Unclear requests are also read by {escape(model)} at {escape(host)}. It sees your '
        "request, the plan, and the names and counts of columns and labels, never your rows.</p>"
    )


def theme() -> gr.themes.Base:
    """Gradio's own parts in the same colours; system fonts, so that nothing is fetched."""
    return gr.themes.Base(
        font=["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Inter", "Roboto", "Arial", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
        radius_size=gr.themes.sizes.radius_md,
    )


#: Gradio's frame: one screen high; the conversation scrolls between a slim head and the box.
FRAME = f"""
html, body {{ background: var(--fa-paper); }}
.gradio-container {{ background: var(--fa-paper) !important; color: var(--fa-ink); font-family: {style.FONT}; }}
.gradio-container .main.fillable {{ max-width: none !important; padding: 0 !important; }}
.gradio-container .wrap:has(> main) {{ min-height: 0 !important; height: 100dvh; }}
.gradio-container main.contain {{ height: 100dvh; }}
.gradio-container main.contain > .column {{ gap: 0; height: 100dvh; flex-wrap: nowrap; }}
.gradio-container footer {{ display: none !important; }}
#fa-top {{ flex: none; align-items: center; justify-content: space-between; padding: 10px 20px; gap: 12px;
  border-bottom: 1px solid var(--fa-line); background: var(--fa-paper); flex-wrap: nowrap; }}
#fa-top .block {{ flex: 1; background: none; border: 0; padding: 0; }}
.fa-brand {{ display: flex; align-items: center; gap: 10px; font: 600 .98rem/1.2 {style.FONT}; color: var(--fa-ink);
  letter-spacing: -.01em; }}
#fa-new {{ flex: none; min-width: 0; width: auto; border: 1px solid var(--fa-line-strong); background: transparent;
  color: var(--fa-ink-2); border-radius: 9px; padding: 6px 12px; font-size: .87rem; font-weight: 500;
  box-shadow: none; }}
#fa-new:hover {{ background: var(--fa-sunken); color: var(--fa-ink); }}
#fa-chat {{ flex: 1 1 0; min-height: 0; height: auto !important; border: 0; background: transparent; border-radius: 0;
  overflow: hidden !important; box-shadow: none; padding: 0; }}
#fa-chat .wrapper {{ height: 100%; }}
#fa-chat .icon-button-wrapper {{ display: none; }}
#fa-chat .panel-wrap {{ height: 100%; overflow-y: auto; scrollbar-gutter: stable both-edges; scrollbar-width: thin;
  overscroll-behavior: contain; scrollbar-color: var(--fa-line-strong) transparent; }}
#fa-chat .message-wrap {{ max-width: 848px; margin: 0 auto; padding: 28px 24px 12px; gap: 0; box-sizing: border-box; }}
#fa-chat .message-row, #fa-chat .flex-wrap, #fa-chat .message {{ background: none !important; border: 0 !important;
  padding: 0 !important; margin: 0 !important; max-width: 100% !important; width: 100%; box-shadow: none !important;
  color: inherit; font-size: inherit; }}
#fa-chat .message-row {{ margin-bottom: 22px !important; }}
#fa-chat .bot-row .message + .message {{ margin-top: 14px !important; }}
#fa-chat .message > div {{ width: 100%; }}
#fa-chat .html-container {{ padding: 0; }}
.fa-said {{ width: fit-content; max-width: min(82%, 620px); margin-left: auto; padding: 10px 16px; border-radius: 18px;
  border-bottom-right-radius: 5px; background: var(--fa-accent-soft); color: var(--fa-ink); white-space: pre-wrap;
  overflow-wrap: anywhere; font: 15.5px/1.5 {style.FONT}; }}
.fa-chips {{ display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 6px; margin-top: 6px; }}
.fa-file {{ display: inline-flex; align-items: center; gap: 7px; max-width: 100%; padding: 5px 11px; border-radius: 9px;
  border: 1px solid var(--fa-line-strong); color: var(--fa-ink-2); font: 500 .84rem/1.3 {style.FONT};
  overflow-wrap: anywhere; background: var(--fa-surface); }}
.fa-file::before {{ content: ""; width: 9px; height: 12px; flex: none; border: 1.5px solid var(--fa-ink-3);
  border-radius: 2px; }}
.fa-text {{ color: var(--fa-ink); font: 15.5px/1.6 {style.FONT}; overflow-wrap: anywhere; max-width: 68ch; }}
.fa-text > :first-child {{ margin-top: 0; }} .fa-text > :last-child {{ margin-bottom: 0; }}
.fa-text p, .fa-text ul, .fa-text ol {{ margin: 0 0 .7em; }}
.fa-text ul {{ list-style: disc; padding-left: 1.3em; }} .fa-text ol {{ list-style: decimal; padding-left: 1.5em; }}
.fa-text li + li {{ margin-top: .25em; }}
.fa-text h1, .fa-text h2, .fa-text h3, .fa-text h4 {{ font-size: 1.04rem; font-weight: 650; line-height: 1.35;
  margin: 1em 0 .4em; }}
.fa-text strong {{ font-weight: 650; }}
.fa-text a {{ color: var(--fa-accent-text); text-underline-offset: 2px; }}
.fa-text code {{ font: .9em {style.MONO}; background: var(--fa-sunken); padding: .1em .36em; border-radius: 5px; }}
.fa-text pre {{ background: var(--fa-sunken); border-radius: 10px; padding: 12px 14px; overflow-x: auto; }}
.fa-text pre code {{ background: none; padding: 0; }}
.fa-text blockquote {{ margin: 0 0 .7em; padding-left: 12px; border-left: 3px solid var(--fa-line-strong);
  color: var(--fa-ink-2); }}
.fa-card .fa-text {{ max-width: none; font-size: 15px; }}
.fa-before {{ margin-bottom: 12px; }}
.fa-buttons {{ display: flex; flex-wrap: wrap; align-items: center; gap: 8px; margin-top: 14px; }}
.fa-button {{ appearance: none; cursor: pointer; border-radius: 10px; padding: 9px 16px; border: 1px solid transparent;
  font: 550 .92rem/1.25 {style.FONT}; text-decoration: none; transition: background .12s, border-color .12s; }}
.fa-button-main {{ background: var(--fa-accent); color: var(--fa-accent-ink); }}
.fa-button-main:hover {{ filter: brightness(1.08); }}
.fa-button-plain, .fa-button-quiet {{ background: var(--fa-surface); border-color: var(--fa-line-strong);
  color: var(--fa-ink); }}
.fa-button-small {{ padding: 2px 10px; font-size: .82rem; border-radius: 8px; background: var(--fa-surface);
  border-color: var(--fa-line-strong); color: var(--fa-accent-text); white-space: nowrap; }}
.fa-button-plain:hover, .fa-button-quiet:hover, .fa-button-small:hover {{ background: var(--fa-sunken); }}
.fa-button:focus-visible, .fa-example:focus-visible, .fa-link:focus-visible, .fa-fold summary:focus-visible,
#fa-new:focus-visible {{ outline: 2px solid var(--fa-accent); outline-offset: 2px; }}
.fa-thinking {{ display: inline-flex; gap: 5px; padding: 10px 2px; }}
.fa-thinking i {{ width: 7px; height: 7px; border-radius: 50%; background: var(--fa-ink-3);
  animation: fa-think 1.2s infinite ease-in-out both; }}
.fa-thinking i:nth-child(2) {{ animation-delay: .15s; }} .fa-thinking i:nth-child(3) {{ animation-delay: .3s; }}
@keyframes fa-think {{ 0%, 70%, 100% {{ opacity: .25; }} 35% {{ opacity: 1; }} }}
#fa-mode, #fa-mic, #fa-settings, #fa-reader, .form:has(> #fa-box) {{ width: 100%; max-width: 848px; margin: 0 auto;
  padding: 0 24px; box-sizing: border-box; flex: none !important; background: none; border: 0; box-shadow: none; }}
#fa-mode:not(:has(.fa-mode)) {{ display: none; }}
#fa-mic .icon-button-wrapper {{ right: 24px; }}
#fa-mode .html-container {{ padding: 0; }}
.form:has(> #fa-box) {{ overflow: visible !important; }}
.fa-mode {{ display: flex; justify-content: space-between; gap: 12px; padding: 8px 14px; margin-bottom: 8px;
  border-radius: 10px; background: var(--fa-accent-soft); color: var(--fa-accent-text);
  font: 500 .88rem/1.4 {style.FONT}; }}
.fa-link {{ appearance: none; border: 0; background: none; color: inherit; cursor: pointer; padding: 0; font: inherit;
  text-decoration: underline; text-underline-offset: 2px; white-space: nowrap; }}
#fa-box {{ border: 1px solid var(--fa-line-strong) !important; background: var(--fa-surface);
  border-radius: 16px !important;
  box-shadow: var(--fa-shadow); padding: 0; margin-bottom: 18px; overflow: visible !important; }}
#fa-box:focus-within {{ border-color: var(--fa-accent); }}
#fa-box .full-container, #fa-box .input-container, #fa-box .input-wrapper {{ background: none; border: 0;
  box-shadow: none;
  border-radius: 16px; }}
#fa-box textarea {{ background: none; border: 0; box-shadow: none; color: var(--fa-ink); font: 16px/1.5 {style.FONT}; }}
#fa-box textarea::placeholder {{ color: var(--fa-ink-3); opacity: 1; }}
#fa-box button {{ color: var(--fa-ink-2); }}
#fa-box .submit-button {{ background: var(--fa-accent); color: var(--fa-accent-ink); border-radius: 11px; }}
#fa-reader .html-container {{ padding: 0; }}
.fa-reader {{ margin: -8px 0 12px; text-align: center; color: var(--fa-ink-3); font: .8rem/1.4 {style.FONT};
  overflow-wrap: anywhere; }}
#fa-settings {{ border-radius: 12px; margin-bottom: 8px; overflow: visible !important; }}
#fa-settings > button.label-wrap {{ color: var(--fa-ink-2); font: 500 .88rem/1.4 {style.FONT}; padding: 4px 2px;
  margin: 0;
  width: auto; gap: 8px; }}
#fa-settings .icon {{ font-size: .7em; color: var(--fa-ink-3); }}
#fa-settings .icon[style*="90deg"] {{ transform: rotate(-90deg) !important; }}
#fa-settings .form, #fa-settings .form .block {{ background: none; border: 0 !important; box-shadow: none;
  border-radius: 0; }}
#fa-settings .form .block {{ padding: 0 !important; }}
#fa-settings .form {{ gap: 12px 14px; }}
#fa-settings [data-testid=accordion-content] {{ margin-top: 6px; padding: 16px; border: 1px solid var(--fa-line);
  border-radius: 14px; background: var(--fa-surface); max-height: 42dvh; overflow-y: auto; }}
#fa-settings label span, #fa-settings [data-testid=block-info] {{ font-size: .82rem; color: var(--fa-ink-2); }}
#fa-settings input {{ background: var(--fa-surface); border: 1px solid var(--fa-line-strong); border-radius: 9px;
  color: var(--fa-ink); font: 15px/1.4 {style.FONT}; }}
#fa-settings .wrap:has(> .wrap-inner) {{ background: var(--fa-surface); border: 1px solid var(--fa-line-strong);
  border-radius: 9px; }}
#fa-settings .wrap-inner input {{ border: 0; background: none; }}
#fa-apply {{ background: var(--fa-surface); color: var(--fa-ink); border: 1px solid var(--fa-line-strong);
  border-radius: 10px; align-self: end; }}
"""

#: The parts of cards that only the page has.
PARTS = f"""
.fa-columns {{ list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 7px; }}
.fa-columns li {{ padding: 6px 11px; border-radius: 9px; background: var(--fa-sunken); font-size: .87rem;
  line-height: 1.35; margin: 0; }}
.fa-columns li span {{ color: var(--fa-ink-3); margin-left: 2px; }}
.fa-columns .fa-used {{ background: var(--fa-accent-soft); }}
.fa-columns .fa-used span {{ color: var(--fa-accent-text); }}
.fa-columns b {{ font-weight: 600; }}
.fa-card .fa-sample td {{ min-width: 110px; max-width: 340px; color: var(--fa-ink-2); }}
.fa-sample td div {{ display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }}
.fa-findings {{ list-style: none; margin: 0; padding: 0; display: grid; gap: 8px; font-size: .92rem; }}
.fa-findings li {{ position: relative; padding-left: 20px; margin: 0; }}
.fa-findings li::before {{ content: ""; position: absolute; left: 3px; top: .5em; width: 8px; height: 8px;
  border-radius: 50%; background: var(--fa-quiet); }}
.fa-findings .fa-finding-warning::before {{ background: var(--fa-warn); }}
.fa-findings .fa-finding-error::before {{ background: var(--fa-bad); }}
.fa-fine {{ color: var(--fa-ink-2); font-size: .9rem; }}
.fa-choices {{ display: grid; margin: 0; }}
.fa-choices > div {{ display: grid; grid-template-columns: 178px 1fr; gap: 16px; padding: 11px 0;
  border-bottom: 1px solid var(--fa-line); }}
.fa-choices > div:last-child {{ border-bottom: 0; }}
.fa-choices dt {{ color: var(--fa-ink-3); font-size: .87rem; line-height: 1.6; }}
.fa-choices dd {{ margin: 0; }}
.fa-choices dd b {{ font-weight: 600; display: block; font-size: .95rem; }}
.fa-choices dd span {{ color: var(--fa-ink-2); font-size: .88rem; line-height: 1.45; display: block; margin-top: 1px; }}
.fa-run-head {{ display: flex; align-items: center; justify-content: space-between; gap: 12px; }}
.fa-phase {{ font-weight: 550; }}
.fa-progress {{ height: 8px; border-radius: 99px; background: var(--fa-sunken); overflow: hidden; margin: 10px 0 8px; }}
.fa-progress i {{ display: block; height: 100%; border-radius: 99px; background: var(--fa-accent);
  transition: width 1.8s linear; }}
.fa-busy i {{ width: 28%; animation: fa-busy 1.6s infinite ease-in-out; }}
@keyframes fa-busy {{ from {{ transform: translateX(-110%); }} to {{ transform: translateX(380%); }} }}
.fa-run .fa-curves {{ margin-top: 18px; }}
.fa-stretches {{ list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 18px;
  font-size: .84rem; color: var(--fa-ink-2); }}
.fa-stretches li {{ margin: 0; }}
.fa-stretches span {{ color: var(--fa-ink-3); }}
.fa-card .fa-buttons .fa-note {{ margin: 0; }}
.fa-problem {{ border-left: 3px solid var(--fa-bad); padding-left: 14px; }}
.fa-answer {{ font-size: 1.4rem; font-weight: 600; letter-spacing: -.012em; line-height: 1.3; }}
.fa-prediction blockquote {{ margin: 0; color: var(--fa-ink-2); padding-left: 12px;
  border-left: 3px solid var(--fa-line-strong); font-size: .93rem; white-space: pre-line; }}
.fa-marked {{ line-height: 2.3; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 1.05rem; }}
.fa-mark {{ --fa-kind: 160 45% 42%; color: var(--fa-ink); border-radius: 6px; padding: 2px 5px;
  background: hsl(var(--fa-kind) / 20%); border-bottom: 2px solid hsl(var(--fa-kind)); }}
.fa-mark small {{ margin-left: 6px; font-size: .72rem; font-weight: 600; color: var(--fa-ink-2); }}
.fa-kind-1 {{ --fa-kind: 28 75% 48%; }} .fa-kind-2 {{ --fa-kind: 215 60% 52%; border-bottom-style: dashed; }}
.fa-kind-3 {{ --fa-kind: 330 50% 52%; border-bottom-style: dotted; }} .fa-kind-4 {{ --fa-kind: 55 70% 42%; }}
.fa-kind-5 {{ --fa-kind: 265 50% 58%; border-bottom-style: double; }}
.fa-kind-6 {{ --fa-kind: 190 65% 42%; border-bottom-style: dashed; }}
.fa-kind-7 {{ --fa-kind: 5 60% 52%; border-bottom-style: dotted; }}
.fa-kinds {{ list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 8px 14px; font-size: .87rem;
  color: var(--fa-ink-2); }}
.fa-kinds li {{ margin: 0; }}
.fa-sides {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 10px 24px; }}
.fa-written {{ white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }}
.fa-prediction + .fa-prediction {{ margin-top: 12px; }}
.fa-welcome {{ max-width: 640px; margin: 7vh auto 0; font: 16px/1.6 {style.FONT}; color: var(--fa-ink-2); }}
.fa-welcome h1 {{ font-size: clamp(1.6rem, 4.5vw, 2.15rem); line-height: 1.18; letter-spacing: -.025em;
  font-weight: 650;
  color: var(--fa-ink); margin: 0 0 14px; text-wrap: balance; }}
.fa-welcome p {{ margin: 0 0 22px; }}
.fa-welcome .fa-note {{ margin: 18px 0 0; }}
.fa-examples {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 12px; }}
.fa-example {{ appearance: none; text-align: left; cursor: pointer; padding: 15px 17px; border-radius: 13px;
  border: 1px solid var(--fa-line); background: var(--fa-surface); color: var(--fa-ink); box-shadow: var(--fa-shadow);
  font: 15px/1.45 {style.FONT}; transition: border-color .12s, transform .12s; }}
.fa-example:hover {{ border-color: var(--fa-accent); }}
.fa-example b {{ display: block; font-weight: 600; margin-bottom: 3px; }}
.fa-example span {{ color: var(--fa-ink-3); font-size: .88rem; }}
@media (max-width: 560px) {{
  #fa-top {{ padding: 8px 14px; }}
  #fa-chat .panel-wrap {{ scrollbar-gutter: auto; }}
  #fa-chat .message-wrap {{ padding: 18px 12px 8px; }}
  .fa-card .fa-sample td {{ min-width: 150px; }}
  #fa-mode, #fa-settings, #fa-reader, .form:has(> #fa-box) {{ padding: 0 12px; }}
  #fa-box {{ margin-bottom: 12px; }}
  .fa-said {{ max-width: 90%; }}
  .fa-choices > div {{ grid-template-columns: 1fr; gap: 1px; }}
  .fa-welcome {{ margin-top: 2vh; }}
}}
@media (prefers-reduced-motion: reduce) {{ * {{ animation: none !important; transition: none !important; }} }}
"""

CSS = f":root {{ {style.LIGHT} }}\n.dark {{ {style.DARK} }}\n{FRAME}\n{style.CARDS}\n{PARTS}"

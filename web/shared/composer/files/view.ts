// SPDX-License-Identifier: Apache-2.0
// The tray as elements: a row a file, with picture, progress, retry, remove.
// Made by hand like message/media.ts: a chunk that brings no framework along
// costs the chat page nothing before somebody wants a file.
import { takenOf, type FileLimits } from './limits.ts';
import { canShrink } from './shrink.ts';
import type { Tray, TrayItem } from './tray.ts';
import { sizeText, typesText, type Word } from './words.ts';

// No flex gap, no inset: Chrome 64 draws this too.
const STYLE = `
.tray{flex:none;max-height:40vh;overflow-y:auto;padding:4px 12px;background:var(--surface);border-top:1px solid var(--line)}
.tray:empty{display:none}
.tray-row{display:flex;align-items:center;min-height:52px;padding:4px 0}
.tray-pic{flex:none;width:44px;height:44px;margin-right:10px;border-radius:8px;background:var(--sunken);color:var(--text-2);display:flex;align-items:center;justify-content:center;overflow:hidden}
.tray-pic img{width:100%;height:100%;object-fit:cover}
.tray-words{flex:1;min-width:0}
.tray-name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;font-size:14px;line-height:20px}
.tray-say{display:block;font-size:12px;line-height:16px;color:var(--text-2)}
.tray-row.failed .tray-say{color:var(--bad)}
.tray-bar{height:4px;margin-top:4px;border-radius:2px;background:var(--sunken);overflow:hidden}
.tray-bar i{display:block;height:100%;background:var(--brand);transform-origin:0 50%;transition:transform var(--slow) var(--ease)}
.tray-row .link{flex:none;margin-left:8px;padding:0 6px;min-height:32px}
.tray-original{display:flex;align-items:center;flex:none;margin-left:8px;min-height:32px;font-size:12px;color:var(--text-2)}
.tray-original input{margin-right:4px}
.tray-note{padding:4px 0;font-size:12px;color:var(--warn)}
.files-drop{position:absolute;left:8px;top:8px;right:8px;bottom:8px;z-index:5;display:flex;align-items:center;justify-content:center;border:2px dashed var(--brand);border-radius:12px;background:var(--brand-soft);color:var(--brand);font-weight:600;opacity:.94;pointer-events:none}
.files-scrim{position:fixed;left:0;top:0;right:0;bottom:0;z-index:20;background:var(--scrim);display:flex;flex-direction:column;justify-content:flex-end}
.files-sheet{padding:8px 8px calc(8px + env(safe-area-inset-bottom));background:var(--raised);border-radius:16px 16px 0 0}
.files-sheet button{display:flex;align-items:center;width:100%;min-height:48px;padding:0 16px;border-radius:8px;font-size:16px;color:var(--text)}
.files-sheet button:hover{background:var(--hover)}
.files-sheet button svg{margin-right:12px;color:var(--text-2)}
.files-sheet p{padding:4px 16px 8px;font-size:12px;color:var(--text-2)}
.files-sheet .files-cancel{justify-content:center;border-top:1px solid var(--line);border-radius:0;margin-top:4px}
@media (pointer:coarse){.tray-row .link,.tray-row .icon-btn{min-height:44px;min-width:44px}}`;

const SVG = 'http://www.w3.org/2000/svg';
export const CLIP = 'm20 11-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4L14.5 7';
export const PAPER = 'M6 3h8l4 4v14H6zM14 3v4h4';
export const CAMERA = 'M4 8h3.5L9 5.5h6L16.5 8H20v11H4zM12 16.5a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4z';
export const PHOTO = 'M4 5h16v14H4zm0 11 4.5-4.5 3.5 3.5 3-3 5 5M15.5 9.2v.1';
const CLOSE = 'M6 6l12 12M18 6 6 18';

let styled = false;
export function style(): void {
  if (styled) return;
  styled = true;
  make('style', document.head, '').textContent = STYLE;
}

export function make<K extends keyof HTMLElementTagNameMap>(tag: K, into: Node | null, cls: string): HTMLElementTagNameMap[K] {
  const el = document.createElement(tag);
  if (cls) el.className = cls;
  if (into) into.appendChild(el);
  return el;
}

export function icon(d: string, into: Node): void {
  const svg = document.createElementNS(SVG, 'svg');
  const shape: Record<string, string> = { width: '20', height: '20', viewBox: '0 0 24 24', fill: 'none', stroke: 'currentColor', 'stroke-width': '1.8', 'aria-hidden': 'true' };
  for (const k of Object.keys(shape)) svg.setAttribute(k, shape[k]!);
  svg.appendChild(document.createElementNS(SVG, 'path')).setAttribute('d', d);
  into.appendChild(svg);
}

interface Drawn {
  row: HTMLElement;
  url: string;
  look: string;
}

function say(i: TrayItem, word: Word, limits: FileLimits): string {
  const limit = sizeText(limits.file_bytes);
  const types = takenOf(limits);
  const size = sizeText(i.file.size);
  if (i.state === 'waiting') return size + ' · ' + word('waiting');
  if (i.state === 'uploading') return i.share < 0 ? word('offline') : size + ' · ' + word('uploading', { percent: Math.round(i.share * 100) });
  if (i.state === 'ready') return size + ' · ' + word('ready');
  if (i.code === 'unsupported' && types.length) return word('err.notThese', { types: typesText(types, word) });
  const known = ['too_large', 'unsupported', 'empty', 'forbidden', 'rate_limited', 'offline'];
  return known.indexOf(i.code!) >= 0 ? word(('err.' + i.code) as 'err.other', { limit }) : word('err.other');
}

/** Draws into `at`, whose content it alone owns; the function ends it. */
export function drawTray(at: HTMLElement, tray: Tray, word: Word, onHeight?: () => void): () => void {
  style();
  const drawn = new Map<number, Drawn>();
  at.classList.add('tray');
  at.setAttribute('role', 'group');
  at.setAttribute('aria-label', word('list'));

  const begin = (i: TrayItem): Drawn => {
    const row = make('div', at, 'tray-row');
    const pic = make('span', row, 'tray-pic');
    let url = '';
    if (/^image\/(png|jpeg|gif|webp)$/.test(i.file.type)) {
      url = URL.createObjectURL(i.file);
      const img = make('img', pic, '');
      img.alt = '';
      img.src = url;
    } else icon(/^image\//.test(i.file.type) ? PHOTO : PAPER, pic);
    const words = make('div', row, 'tray-words');
    const name = make('div', words, 'tray-name');
    name.textContent = name.title = i.file.name;
    make('span', words, 'tray-say');
    return { row, url, look: '' };
  };

  const tools = (i: TrayItem, d: Drawn) => {
    while (d.row.childNodes.length > 2) d.row.removeChild(d.row.lastChild!);
    const words = d.row.childNodes[1] as HTMLElement;
    while (words.childNodes.length > 2) words.removeChild(words.lastChild!);
    d.row.className = 'tray-row ' + i.state;
    const sayer = words.childNodes[1] as HTMLElement;
    if (i.state === 'failed') sayer.setAttribute('role', 'alert');
    else sayer.removeAttribute('role');
    if (i.state === 'uploading') {
      const bar = make('div', words, 'tray-bar');
      bar.setAttribute('role', 'progressbar');
      bar.setAttribute('aria-label', word('progress', { name: i.file.name }));
      bar.setAttribute('aria-valuemin', '0');
      bar.setAttribute('aria-valuemax', '100');
      make('i', bar, '');
    }
    if (tray.o.hold && canShrink(i.file) && i.state !== 'failed') {
      const label = make('label', d.row, 'tray-original');
      const box = make('input', label, '');
      box.type = 'checkbox';
      box.checked = i.original;
      box.onchange = () => tray.setOriginal(i.key, box.checked);
      label.appendChild(document.createTextNode(word('original')));
    }
    if (i.state === 'failed' && !i.final) {
      const again = make('button', d.row, 'link');
      again.type = 'button';
      again.textContent = word('retry');
      again.onclick = () => tray.retry(i.key);
    }
    const off = make('button', d.row, 'icon-btn');
    off.type = 'button';
    off.title = word('remove', { name: i.file.name });
    off.setAttribute('aria-label', off.title);
    icon(CLOSE, off);
    off.onclick = () => {
      const next = (d.row.nextElementSibling || d.row.previousElementSibling) as HTMLElement | null;
      tray.remove(i.key);
      const to = next && next.querySelector<HTMLElement>('.icon-btn');
      if (to) to.focus();
    };
  };

  let height = 0;
  const draw = () => {
    const limits = tray.o.limits();
    const here = new Set(tray.items.map((i) => i.key));
    drawn.forEach((d, key) => {
      if (here.has(key)) return;
      if (d.url) URL.revokeObjectURL(d.url);
      at.removeChild(d.row);
      drawn.delete(key);
    });
    let next = at.firstChild;
    for (const i of tray.items) {
      let d = drawn.get(i.key);
      if (!d) drawn.set(i.key, (d = begin(i)));
      if (d.row === next) next = next.nextSibling;
      else at.insertBefore(d.row, next); // of before a reload: above what was chosen since
      const look = i.state + i.final + i.original;
      if (d.look !== look) tools(i, d);
      d.look = look;
      const words = d.row.childNodes[1] as HTMLElement;
      const text = say(i, word, limits);
      const sayer = words.childNodes[1] as HTMLElement;
      if (sayer.textContent !== text) sayer.textContent = text;
      const bar = words.childNodes[2] as HTMLElement | undefined;
      if (!bar) continue;
      const share = Math.max(0, i.share);
      bar.setAttribute('aria-valuenow', String(Math.round(share * 100)));
      (bar.firstChild as HTMLElement).style.transform = 'scaleX(' + share + ')';
    }
    if (height !== at.offsetHeight && onHeight) onHeight();
    height = at.offsetHeight;
  };
  tray.changed = draw;
  draw();
  return () => {
    tray.changed = () => {};
    drawn.forEach((d) => d.url && URL.revokeObjectURL(d.url));
    drawn.clear();
    at.textContent = '';
  };
}

// SPDX-License-Identifier: Apache-2.0
// A message's file: a picture, sound, film, or a card. It comes with the
// first file that is seen, makes its elements itself and imports nothing but
// its words: so it costs the chat page's first load next to nothing.
import en from '../../locales/media.en.json';
import zh from '../../locales/media.zh-CN.json';
import type { FileInfo, Message } from '../../sdk/types.ts';

export interface Around {
  /** Visitors have no cookie: their token asks for signed links. */
  token?: () => string | null;
  /** Something has another height now. */
  drawn?: () => void;
  /** Ends the answer that is growing in this bubble. */
  stop?: (m: Message) => void;
  /** The visitor's words, by a button that a message offers. */
  say?: (text: string) => void;
}

type Word = (key: keyof typeof zh) => string;

interface Links {
  url: string;
  thumb: string;
  /** Signed ones end; after this one asks again. */
  until: number;
}

const BOX = 240;
const CLIP = 'm20 11-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4L14.5 7';
const SVG = 'http://www.w3.org/2000/svg';

// No flex gap, no inset: Chrome 64 draws this too.
const STYLE = `
.media{display:block;white-space:normal;max-width:100%;margin:2px 0 4px}
.media-image{display:block;position:relative;overflow:hidden;max-width:100%;border-radius:8px;background:var(--sunken)}
.media-image img{display:block;width:100%;height:100%;object-fit:contain}
.media audio{display:block;width:260px;max-width:100%;height:44px}
.media video{display:block;width:280px;max-width:100%;height:auto;max-height:320px;border-radius:8px;background:#000}
.bubble .media-card{display:flex;align-items:center;max-width:100%;min-height:44px;text-decoration:none;color:inherit}
.bubble a.media-card:hover .media-name{text-decoration:underline}
.bubble button.media-card{text-align:left}
.media-card svg{flex:none;margin-right:10px;color:var(--text-2)}
.media-words{min-width:0;display:block}
.media-name{display:block;max-width:220px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.media-words small{display:block;color:var(--text-2);font-size:12px;line-height:16px}`;

let styled = false;
function style(): void {
  if (styled) return;
  styled = true;
  make('style', document.head, '').textContent = STYLE;
}

function make<K extends keyof HTMLElementTagNameMap>(tag: K, into: Node, cls: string): HTMLElementTagNameMap[K] {
  const el = document.createElement(tag);
  if (cls) el.className = cls;
  into.appendChild(el);
  return el;
}

export function sizeText(n: number): string {
  if (n < 1024) return n + ' B';
  const k = n / 1024;
  if (Math.round(k) < 1024) return Math.round(k) + ' KB';
  const m = k / 1024;
  return m < 1023.95 ? m.toFixed(1) + ' MB' : (m / 1024).toFixed(1) + ' GB';
}

/** How large a picture is drawn, known before it is there: nothing jumps. */
export function boxOf(f: FileInfo): { width: number; height: number } | null {
  if (!f.width || !f.height) return null;
  const k = Math.min(1, BOX / Math.max(f.width, f.height));
  return { width: Math.max(48, Math.round(f.width * k)), height: Math.max(32, Math.round(f.height * k)) };
}

const asked = new Map<string, Promise<Links>>();

/** The server says that it is not there, or not theirs. */
class Gone extends Error {}

async function sign(id: string, around: Around): Promise<Links> {
  const headers: Record<string, string> = around.token ? { Authorization: 'Bearer ' + (around.token() || '') } : {};
  const res = await fetch('/api/v1/files/' + id, { headers });
  if (res.status === 404 || res.status === 403) throw new Gone();
  if (!res.ok) throw new Error('HTTP ' + res.status);
  const f = (await res.json()) as { url: string; thumb_url?: string | null; url_expires_at?: number };
  // By our clock, which may be wrong: half an hour, or half of a short one.
  const left = Math.min(1_800_000, ((f.url_expires_at || Infinity) - Date.now()) / 2);
  return { url: f.url, thumb: f.thumb_url || f.url, until: Date.now() + Math.max(30_000, left) };
}

async function linksOf(id: string, around: Around, anew?: boolean): Promise<Links> {
  if (!around.token) return { url: '/files/' + id, thumb: '/files/' + id + '?thumb=1', until: Infinity };
  const known = asked.get(id);
  if (known && !anew && (await known).until > Date.now()) return known;
  const links = sign(id, around);
  asked.set(id, links);
  links.catch(() => asked.delete(id));
  return links;
}

type Lost = (e?: unknown) => void;

/** A link that is over is asked for anew within the click. */
function opens(a: HTMLAnchorElement, f: FileInfo, around: Around, links: Links, lost: Lost): void {
  let now = links;
  a.href = now.url;
  a.target = '_blank';
  a.rel = 'noopener noreferrer';
  a.onclick = (e) => {
    if (now.until > Date.now()) return;
    e.preventDefault();
    const w = a.hasAttribute('download') ? null : window.open('', '_blank');
    if (w) w.opener = null;
    linksOf(f.id, around).then(
      (l) => {
        now = l;
        a.href = l.url;
        if (w) w.location.replace(l.url);
        else a.click();
      },
      (e) => {
        if (w) w.close();
        lost(e);
      },
    );
  };
}

function card(tag: 'a' | 'span' | 'button', f: FileInfo, word: Word, say: string): HTMLElement {
  const el = document.createElement(tag);
  el.className = 'media-card';
  const svg = document.createElementNS(SVG, 'svg');
  const shape: Record<string, string> = { width: '20', height: '20', viewBox: '0 0 24 24', fill: 'none', stroke: 'currentColor', 'stroke-width': '1.8', 'aria-hidden': 'true' };
  for (const k in shape) svg.setAttribute(k, shape[k]!);
  svg.appendChild(document.createElementNS(SVG, 'path')).setAttribute('d', CLIP);
  el.appendChild(svg);
  const words = make('span', el, 'media-words');
  const name = make('span', words, 'media-name');
  name.textContent = name.title = f.name || word('file');
  make('small', words, '').textContent = say;
  return el;
}

function download(f: FileInfo, word: Word, around: Around, links: Links, lost: Lost): HTMLElement {
  const a = card('a', f, word, (f.size ? sizeText(f.size) + ' · ' : '') + word('download')) as HTMLAnchorElement;
  a.download = f.name || '';
  opens(a, f, around, links, lost);
  return a;
}

function image(f: FileInfo, word: Word, around: Around, links: Links, wrong: () => void, lost: Lost): HTMLElement {
  const a = document.createElement('a');
  a.className = 'media-image';
  opens(a, f, around, links, lost);
  const img = document.createElement('img');
  const box = boxOf(f)!;
  img.width = box.width;
  img.height = box.height;
  img.alt = f.name || word('image');
  img.setAttribute('loading', 'lazy');
  img.onerror = wrong;
  img.src = f.thumb ? links.thumb : links.url;
  a.style.width = box.width + 'px';
  a.style.height = box.height + 'px';
  a.appendChild(img);
  return a;
}

function player(kind: 'audio' | 'video', f: FileInfo, word: Word, links: Links, wrong: () => void): HTMLElement {
  const el = document.createElement(kind);
  el.controls = true;
  el.preload = 'none';
  el.setAttribute('aria-label', f.name || word(kind));
  if (kind === 'video') el.style.height = heightOf(kind, f) + 'px';
  el.onerror = wrong;
  el.src = links.url;
  return el;
}

/** A row's height is kept from the first moment on. */
function heightOf(kind: string, f: FileInfo): number {
  const box = boxOf(f);
  if (kind === 'image' && box) return box.height;
  if (kind !== 'video') return 44;
  return box ? Math.min(320, Math.round((280 * box.height) / box.width)) : 158;
}

/** Draws into `at`, whose content it alone owns. */
export function draw(at: HTMLElement, m: Message, f: FileInfo, lang: string, around: Around): void {
  style();
  const word: Word = (key) => (lang === 'en' ? en : zh)[key];
  const put = (el: HTMLElement, height: number) => {
    at.textContent = '';
    at.appendChild(el);
    at.style.minHeight = height + 'px';
    if (around.drawn) around.drawn();
  };
  const lost: Lost = (e) => {
    if (e instanceof Gone) return put(card('span', f, word, word('gone')), 44);
    const again = card('button', f, word, word('failed'));
    again.onclick = () => draw(at, m, f, lang, around);
    put(again, 44);
  };
  if (f.missing) return lost(new Gone());
  const height = heightOf(m.kind, f);
  let tries = 0;
  const show = (links: Links) => {
    let el: HTMLElement;
    // Once more with a fresh link; then it is gone, or there and this browser
    // cannot draw it (AMR, say): to be saved. Elements do not say why.
    const wrong = () => {
      if (++tries > 1) return void sign(f.id, around).then((l) => put(download(f, word, around, l, lost), 44), lost);
      const playing = el instanceof HTMLMediaElement && !el.paused;
      linksOf(f.id, around, true).then((l) => {
        show(l);
        const again = at.firstChild;
        if (playing) (again as HTMLMediaElement).play().catch(() => undefined); // onerror says it
      }, lost);
    };
    if (m.kind === 'image' && boxOf(f)) el = image(f, word, around, links, wrong, lost);
    else if (m.kind === 'audio' || m.kind === 'video') el = player(m.kind, f, word, links, wrong);
    else el = download(f, word, around, links, lost);
    put(el, height);
  };
  at.style.minHeight = height + 'px';
  if (around.drawn) around.drawn();
  linksOf(f.id, around).then(show, lost);
}

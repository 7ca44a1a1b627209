// SPDX-License-Identifier: Apache-2.0
// /widget.js: the launcher on a stranger's page. No request, no layout shift
// and hardly any work before somebody wants to talk.
//
//   <script async src="https://HOST/widget.js" data-channel="ID"></script>
//   yuelai('open' | 'close' | 'identify' | 'on' | 'set' | 'reset', …)
import { CSS } from './style.ts';

type Args = [string, ...unknown[]];
interface Api {
  (...args: Args): void;
  q?: ArrayLike<unknown>[];
}
interface Options {
  channel: string;
  lang?: string;
  title?: string;
  color?: string;
  side?: string;
  theme?: string;
  greeting?: string;
}

const GREETED_MS = 86_400_000;
const WORDS = {
  zh: ['在线客服', '关闭', '条未读'],
  en: ['Chat with us', 'Close', 'unread'],
};
const HTML =
  '</style><div class="w"><div class="p" hidden></div><div class="g" hidden><span></span><button class="x">×</button></div>' +
  '<button class="l" aria-expanded="false"><svg class="c" viewBox="0 0 24 24"><path d="M4 5h16v11H10l-4.5 3.5V16H4z"/></svg>' +
  '<svg class="v" viewBox="0 0 24 24"><path d="m6 9 6 6 6-6"/></svg><span class="b" hidden></span></button></div>';

const page = document.documentElement;
const listeners: Record<string, ((v?: unknown) => void)[]> = {};
let opt: Options;
let origin: string;
let prefix: string;
let words: string[];
let box: HTMLElement;
let panel: HTMLElement;
let button: HTMLElement;
let badge: HTMLElement;
let bubble: HTMLElement;
let frame: HTMLIFrameElement | null = null;
let identity: unknown;
let ready = false;
let isOpen = false;
let pushed = false;
let overflow = '';

// --- the host page's storage: blocked is allowed, the chat keeps it then ----

function put(k: string, v: string | null): void {
  try {
    if (v === null) localStorage.removeItem(k);
    else localStorage.setItem(k, v);
  } catch {
    // blocked
  }
}

function stored(): Record<string, string> {
  const out: Record<string, string> = {};
  try {
    for (const k of Object.keys(localStorage)) if (k.indexOf(prefix) === 0) out[k] = localStorage.getItem(k)!;
  } catch {
    // blocked
  }
  return out;
}

// --- the panel --------------------------------------------------------------

const emit = (name: string, v?: unknown) => (listeners[name] || []).forEach((fn) => fn(v));
const full = () => matchMedia('(max-width: 480px)').matches;

function post(m: object): void {
  if (ready && frame && frame.contentWindow) frame.contentWindow.postMessage(m, origin);
}

function setUnread(n: number): void {
  badge.hidden = n === 0;
  badge.textContent = n > 99 ? '99+' : '' + n;
  button.setAttribute('aria-label', words[0] + (n ? ` (${n} ${words[2]})` : '')); // aria-expanded says the rest
  emit('unread', n);
}

/** The panel follows the keyboard where it covers the whole phone. */
function fit(): void {
  const vv = window.visualViewport;
  const on = isOpen && vv && full();
  panel.style.height = on ? vv.height + 'px' : '';
  panel.style.top = on ? vv.offsetTop + 'px' : '';
}

function make(): void {
  if (frame) return;
  const f = (frame = document.createElement('iframe'));
  f.title = opt.title || words[0]!;
  f.allow = 'autoplay; clipboard-write';
  f.src = origin + '/chat/' + encodeURIComponent(opt.channel) + '#embed';
  f.onload = () => {
    const init = {
      yl: 'init', store: stored(), lang: opt.lang, title: opt.title, color: opt.color, theme: opt.theme, identity, open: isOpen,
      page: { url: location.href, title: document.title, referrer: document.referrer },
    };
    if (f.contentWindow) f.contentWindow.postMessage(init, origin);
  };
  panel.appendChild(f);
}

function show(open: boolean): void {
  isOpen = open;
  panel.hidden = !open;
  box.classList.toggle('open', open);
  button.setAttribute('aria-expanded', '' + open);
  fit();
  post({ yl: open ? 'open' : 'close' });
  emit(open ? 'open' : 'close');
}

function open(): void {
  if (isOpen) return;
  make();
  bubble.hidden = true;
  setUnread(0);
  if (full()) {
    overflow = page.style.overflow;
    page.style.overflow = 'hidden';
    history.pushState({ yuelai: 1 }, ''); // Android's back closes
    pushed = true;
  }
  show(true);
}

function close(fromBack?: boolean): void {
  if (!isOpen) return;
  show(false);
  if (pushed) {
    page.style.overflow = overflow;
    pushed = false;
    if (!fromBack) history.back();
  }
  button.focus();
}

function reset(): void {
  for (const k of Object.keys(stored())) put(k, null);
  if (frame) frame.remove();
  frame = null;
  ready = false;
  identity = undefined;
  setUnread(0);
  if (isOpen) make();
}

// --- who talks to us ----------------------------------------------------------

/** Only our own iframe, only from its exact origin. */
function onMessage(e: MessageEvent): void {
  if (!frame || e.source !== frame.contentWindow || e.origin !== origin || !e.data) return;
  const m = e.data as { yl?: string; key: string; value: string | null; n: number };
  if (m.yl === 'ready') {
    ready = true;
    post({ yl: isOpen ? 'open' : 'close' });
  } else if (m.yl === 'set') put(m.key, m.value);
  else if (m.yl === 'unread') setUnread(m.n);
  else if (m.yl === 'close') close();
}

function api(name: string, ...rest: unknown[]): void {
  if (name === 'open') open();
  else if (name === 'close') close();
  else if (name === 'reset') reset();
  else if (name === 'identify') {
    identity = rest[0];
    post({ yl: 'identify', identity });
  } else if (name === 'on') (listeners[rest[0] as string] ||= []).push(rest[1] as (v?: unknown) => void);
  else if (name === 'set') Object.assign(opt, rest[0]);
}

function isLight(hex: string): boolean {
  const n = parseInt(hex.slice(1), 16);
  return ((n >> 16) & 255) * 0.299 + ((n >> 8) & 255) * 0.587 + (n & 255) * 0.114 > 165;
}

function draw(): void {
  const host = document.createElement('div');
  host.id = 'yuelai-widget';
  const root = host.attachShadow({ mode: 'open' });
  root.innerHTML = '<style>' + CSS + HTML;
  const $ = (s: string) => root.querySelector(s) as HTMLElement;
  box = $('.w');
  panel = $('.p');
  button = $('.l');
  badge = $('.b');
  bubble = $('.g');
  if (opt.side === 'left') box.classList.add('left');
  if (/^#[0-9a-f]{6}$/i.test(opt.color!)) {
    box.style.setProperty('--a', opt.color!);
    if (isLight(opt.color!)) box.style.setProperty('--o', '#0b1220');
  }
  if (opt.theme === 'dark' || (opt.theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)) box.classList.add('dark');
  button.onclick = () => (isOpen ? close() : open());
  button.addEventListener('pointerenter', make);
  button.addEventListener('touchstart', make, { passive: true });
  bubble.onclick = open;
  const x = $('.x');
  x.setAttribute('aria-label', words[1]!);
  x.onclick = (e) => {
    e.stopPropagation();
    bubble.hidden = true;
    put(prefix + 'greeted', '' + Date.now());
  };
  setUnread(0);
  document.body.appendChild(host);
}

function start(script: HTMLScriptElement): void {
  const w = window as unknown as { yuelai?: Api };
  if (w.yuelai && !w.yuelai.q) return; // embedded twice
  origin = new URL(script.src, location.href).origin;
  opt = Object.assign({ channel: 'default' }, script.dataset);
  prefix = 'yl.' + opt.channel + '.';
  words = WORDS[/^zh/i.test(opt.lang || navigator.language || 'zh') ? 'zh' : 'en'];
  draw();
  addEventListener('message', onMessage);
  addEventListener('popstate', () => pushed && close(true));
  addEventListener('keydown', (e) => e.key === 'Escape' && !e.isComposing && close());
  const vv = window.visualViewport;
  if (vv) {
    vv.addEventListener('resize', fit); // the page may own vv.onresize
    vv.addEventListener('scroll', fit);
  }
  const kept = stored();
  if (opt.greeting && Date.now() - Number(kept[prefix + 'greeted'] || 0) > GREETED_MS) {
    bubble.querySelector('span')!.textContent = opt.greeting;
    setTimeout(() => (bubble.hidden = isOpen), 1500);
  }
  const queued = (w.yuelai && w.yuelai.q) || [];
  w.yuelai = api;
  for (let i = 0; i < queued.length; i++) api(...(Array.from(queued[i]!) as Args));
  // A conversation exists: connect when the page is idle, for the badge.
  if (kept[prefix + 'token']) (window.requestIdleCallback || setTimeout)(make);
}

const own = document.currentScript as HTMLScriptElement | null;
if (own) {
  if (document.body) start(own);
  else addEventListener('DOMContentLoaded', () => start(own));
}

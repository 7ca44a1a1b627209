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

function start(script: HTMLScriptElement): void {
  const w = window as unknown as { yuelai?: Api };
  if (w.yuelai && !w.yuelai.q) return; // embedded twice
  const origin = new URL(script.src, location.href).origin;
  const opt: Options = Object.assign({ channel: 'default' }, script.dataset);
  const prefix = 'yl.' + opt.channel + '.';
  const lang = /^zh/i.test(opt.lang || navigator.language || 'zh') ? 'zh' : 'en';
  const words = WORDS[lang];
  const listeners: Record<string, ((v?: unknown) => void)[]> = {};
  let identity: unknown;
  let frame: HTMLIFrameElement | null = null;
  let ready = false;
  let isOpen = false;
  let unread = 0;
  let pushed = false;
  let htmlOverflow = '';

  const kv = {
    put(k: string, v: string | null): void {
      try {
        if (v === null) localStorage.removeItem(k);
        else localStorage.setItem(k, v);
      } catch {
        // the chat keeps it in memory
      }
    },
    all(): Record<string, string> {
      const out: Record<string, string> = {};
      try {
        for (const k of Object.keys(localStorage)) if (k.indexOf(prefix) === 0) out[k] = localStorage.getItem(k)!;
      } catch {
        // blocked
      }
      return out;
    },
  };
  const emit = (name: string, v?: unknown) => (listeners[name] || []).forEach((fn) => fn(v));

  const host = document.createElement('div');
  host.id = 'yuelai-widget';
  const root = host.attachShadow({ mode: 'open' });
  root.innerHTML =
    '<style>' + CSS + '</style><div class="w"><div class="p" hidden></div><div class="g" hidden><span></span><button class="x">×</button></div>' +
    '<button class="l" aria-expanded="false"><svg class="c" viewBox="0 0 24 24"><path d="M4 5h16v11H10l-4.5 3.5V16H4z"/></svg>' +
    '<svg class="v" viewBox="0 0 24 24"><path d="m6 9 6 6 6-6"/></svg><span class="b" hidden></span></button></div>';
  const $ = <T extends HTMLElement>(s: string) => root.querySelector(s) as T;
  const box = $('.w');
  const panel = $('.p');
  const button = $<HTMLButtonElement>('.l');
  const badge = $('.b');
  const bubble = $('.g');
  if (opt.side === 'left') box.classList.add('left');
  if (/^#[0-9a-f]{6}$/i.test(opt.color!)) {
    box.style.setProperty('--a', opt.color!);
    if (isLight(opt.color!)) box.style.setProperty('--o', '#0b1220');
  }
  if (opt.theme === 'dark' || (opt.theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)) box.classList.add('dark');

  const label = () => {
    button.setAttribute('aria-label', words[0] + (unread ? ` (${unread} ${words[2]})` : '')); // aria-expanded says the rest
  };
  const setUnread = (n: number) => {
    unread = n;
    badge.hidden = n === 0;
    badge.textContent = n > 99 ? '99+' : '' + n;
    label();
    emit('unread', n);
  };
  const post = (m: object) => {
    if (ready && frame && frame.contentWindow) frame.contentWindow.postMessage(m, origin);
  };
  const full = () => matchMedia('(max-width: 480px)').matches;

  /** The panel follows the keyboard where it covers the whole phone. */
  const fit = () => {
    const vv = window.visualViewport;
    if (!isOpen || !vv || !full()) {
      panel.style.height = panel.style.top = '';
      return;
    }
    panel.style.height = vv.height + 'px';
    panel.style.top = vv.offsetTop + 'px';
  };

  const make = () => {
    if (frame) return;
    const f = (frame = document.createElement('iframe'));
    f.title = opt.title || words[0]!;
    f.allow = 'autoplay; clipboard-write';
    f.src = origin + '/chat/' + encodeURIComponent(opt.channel) + '#embed';
    f.onload = () => {
      if (!f.contentWindow) return;
      f.contentWindow.postMessage(
        {
          yl: 'init', store: kv.all(), lang: opt.lang, title: opt.title, color: opt.color, theme: opt.theme, identity, open: isOpen,
          page: { url: location.href, title: document.title, referrer: document.referrer },
        },
        origin,
      );
    };
    panel.appendChild(f);
  };

  const open = () => {
    if (isOpen) return;
    isOpen = true;
    make();
    bubble.hidden = true;
    panel.hidden = false;
    box.classList.add('open');
    button.setAttribute('aria-expanded', 'true');
    if (full()) {
      htmlOverflow = document.documentElement.style.overflow;
      document.documentElement.style.overflow = 'hidden';
      history.pushState({ yuelai: 1 }, '');
      pushed = true;
    }
    fit();
    setUnread(0);
    post({ yl: 'open' });
    emit('open');
  };
  const close = (fromBack = false) => {
    if (!isOpen) return;
    isOpen = false;
    panel.hidden = true;
    box.classList.remove('open');
    button.setAttribute('aria-expanded', 'false');
    if (pushed) {
      document.documentElement.style.overflow = htmlOverflow;
      pushed = false;
      if (!fromBack) history.back();
    }
    label();
    post({ yl: 'close' });
    button.focus();
    emit('close');
  };
  const reset = () => {
    for (const k of Object.keys(kv.all())) kv.put(k, null);
    if (frame) frame.remove();
    frame = null;
    ready = false;
    identity = undefined;
    setUnread(0);
    if (isOpen) make();
  };

  addEventListener('message', (e) => {
    if (!frame || e.source !== frame.contentWindow || e.origin !== origin || !e.data) return;
    const m = e.data as { yl?: string; key?: string; value?: string | null; n?: number };
    if (m.yl === 'ready') {
      ready = true;
      post({ yl: isOpen ? 'open' : 'close' });
    } else if (m.yl === 'set') kv.put(m.key!, m.value!);
    else if (m.yl === 'unread') setUnread(m.n!);
    else if (m.yl === 'close') close();
  });
  addEventListener('popstate', () => {
    if (isOpen && pushed) close(true);
  });
  addEventListener('keydown', (e) => {
    if (e.key === 'Escape' && isOpen && !e.isComposing) close();
  });
  if (window.visualViewport) {
    window.visualViewport.addEventListener('resize', fit);
    window.visualViewport.addEventListener('scroll', fit);
  }
  button.onclick = () => (isOpen ? close() : open());
  button.addEventListener('pointerenter', make);
  button.addEventListener('touchstart', make, { passive: true });
  bubble.onclick = () => open();
  const x = $('.x');
  x.setAttribute('aria-label', words[1]!);
  x.onclick = (e) => {
    e.stopPropagation();
    bubble.hidden = true;
    kv.put(prefix + 'greeted', '' + Date.now());
  };
  if (opt.greeting && Date.now() - Number(kv.all()[prefix + 'greeted'] || 0) > GREETED_MS) {
    bubble.querySelector('span')!.textContent = opt.greeting;
    setTimeout(() => (bubble.hidden = isOpen), 1500);
  }
  label();
  document.body.appendChild(host);

  const api: Api = (name, ...rest) => {
    if (name === 'open') open();
    else if (name === 'close') close();
    else if (name === 'reset') reset();
    else if (name === 'identify') {
      identity = rest[0];
      post({ yl: 'identify', identity });
    } else if (name === 'on') {
      (listeners[rest[0] as string] ||= []).push(rest[1] as (v?: unknown) => void);
    } else if (name === 'set') Object.assign(opt, rest[0]);
  };
  const queued = (w.yuelai && w.yuelai.q) || [];
  w.yuelai = api;
  for (let i = 0; i < queued.length; i++) api(...(Array.from(queued[i]!) as Args));

  // A conversation exists: connect when the page is idle, for the badge.
  if (kv.all()[prefix + 'token']) {
    (window.requestIdleCallback || setTimeout)(make);
  }
}

function isLight(hex: string): boolean {
  const n = parseInt(hex.slice(1), 16);
  return ((n >> 16) & 255) * 0.299 + ((n >> 8) & 255) * 0.587 + (n & 255) * 0.114 > 165;
}

const own = document.currentScript as HTMLScriptElement | null;
if (own) {
  if (document.body) start(own);
  else addEventListener('DOMContentLoaded', () => start(own));
}

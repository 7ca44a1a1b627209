// SPDX-License-Identifier: Apache-2.0
// What the chat page knows, as signals over the SDK's Visitor.
import { computed, signal } from '@preact/signals-core';
import type { SessionState } from '../sdk/session.ts';
import { browserStore, type Store } from '../sdk/storage.ts';
import { Visitor } from '../sdk/visitor.ts';
import { Drafts } from '../shared/composer/drafts.ts';
import { pickLang, setLang, t } from '../shared/i18n.ts';
import { files } from '../shared/message/bubble.tsx';
import { isLooking, Reading } from '../shared/presence/reading.ts';
import { setBadge, setTitle } from '../shared/presence/title.ts';
import { initTheme, isHexColor, onColor } from '../shared/theme.ts';
import type { Host, Init } from './host.ts';
import { HostStore } from './host.ts';

interface Config {
  title?: string;
  color?: string;
  greeting?: string;
  locale?: string;
  /** Agents see what is typed before it is sent. */
  typing_text?: boolean;
}

export const visitor = signal<Visitor | null>(null);
/** Rises with every change of the visitor's state. */
export const tick = signal(0);
export const link = signal<SessionState>('idle');
export const config = signal<Config>({});
export const fatal = signal<'' | 'notFound'>('');
export const isOpen = signal(true);
export const unseen = signal(0);
export const spoken = signal('');
export const drafts = signal<Drafts | null>(null);
export const title = computed(() => config.value.title || t('chat.title'));
export const channel = decodeURIComponent(location.pathname.split('/')[2] || 'default');

const bell = () => import('../shared/presence/sound.ts');
/** The engine may only start inside a gesture: load it with the first one. */
for (const ev of ['pointerdown', 'keydown']) addEventListener(ev, () => void bell().then((b) => b.unlock()), { once: true, capture: true });

export const reading = new Reading({
  send: (seq) => !!visitor.value && visitor.value.read(seq),
  looking: () => isOpen.value && isLooking(),
});

function paint(color: unknown): void {
  if (!isHexColor(color)) return;
  const s = document.documentElement.style;
  s.setProperty('--accent', color);
  s.setProperty('--on-accent', onColor(color));
}

async function loadConfig(init: Partial<Init>): Promise<void> {
  try {
    const res = await fetch('/chat/' + encodeURIComponent(channel) + '/config');
    if (res.status === 404) fatal.value = 'notFound';
    if (!res.ok) return;
    const body = (await res.json()) as { config?: Config };
    const c = { ...body.config };
    if (init.title) c.title = init.title;
    if (init.color) c.color = init.color;
    if (!init.lang && c.locale && c.locale !== 'auto') setLang(pickLang(c.locale));
    config.value = c;
    paint(c.color);
  } catch {
    // the words of the page itself do; the session says what is wrong
  }
}

function connect(store: Store, init: Partial<Init>, identity: unknown): void {
  visitor.value?.stop();
  const url = (location.protocol === 'https:' ? 'wss://' : 'ws://') + location.host + '/ws';
  const page = init.page || { url: location.href, title: document.title, referrer: document.referrer };
  const v = new Visitor({ url, channel, store, locale: document.documentElement.lang, page, identity });
  v.on('change', () => {
    link.value = v.session.state;
    tick.value++;
  });
  v.on('message', (m) => {
    spoken.value = (m.sender.name ? m.sender.name + ': ' : '') + (m.text || (m.file && m.file.name) || '').replace(/[*_`#[]|\](\(\S*\))?/g, '');
    if (isOpen.value && isLooking()) return;
    unseen.value++;
    void bell().then((b) => b.play('message', 0.35));
  });
  files.token = () => v.token;
  files.stop = () => v.stopAnswer();
  files.say = (text) => v.send(text);
  visitor.value = v;
  link.value = 'connecting';
  v.start();
}

export async function boot(host: Host): Promise<void> {
  let store: Store;
  let init: Partial<Init> = {};
  if (host.embedded) {
    const got = await host.init();
    init = got;
    isOpen.value = got.open;
    store = new HostStore(got.store, host);
  } else {
    store = browserStore();
    const q = new URLSearchParams(location.search);
    init = { lang: q.get('lang') || undefined };
  }
  if (init.lang) setLang(pickLang(init.lang));
  initTheme(init.theme || new URLSearchParams(location.search).get('theme'));
  if (init.title) config.value = { title: init.title };
  paint(init.color);
  drafts.value = new Drafts(store, 'yl.' + channel + '.draft.');
  host.onOpen = (open) => (isOpen.value = open);
  host.onIdentify = (identity) => connect(store, init, identity);
  connect(store, init, init.identity);
  void loadConfig(init);
  watchUnseen(host);
}

function watchUnseen(host: Host): void {
  const clear = () => {
    if (isOpen.value && isLooking()) unseen.value = 0;
  };
  isOpen.subscribe(clear);
  addEventListener('focus', clear);
  document.addEventListener('visibilitychange', clear);
  unseen.subscribe((n) => {
    if (host.embedded) host.post({ yl: 'unread', n });
    else setBadge(n);
  });
  title.subscribe((name) => {
    if (!host.embedded) {
      setTitle(name);
      setBadge(unseen.value);
    }
  });
}

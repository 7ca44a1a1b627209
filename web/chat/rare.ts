// SPDX-License-Identifier: Apache-2.0
// What many visitors never see: a bot and the way past it, the queue, the end,
// that agents see what is typed, a chat that is not there.
// As data for message/text.tsx's view(); comes when it is so.
import en from '../locales/rare.en.json';
import zh from '../locales/rare.zh-CN.json';
import type { Node } from '../shared/message/text.tsx';
import type { Queue } from '../sdk/types.ts';

// No flex gap: Chrome 64 draws this too.
const STYLE = `
.chat-queue{flex:none;padding:8px 16px;background:var(--info-soft);color:var(--info);font-size:13px}
.chat-queue span{margin-left:8px}
.chat-queue p{font-size:12px}
.chat-ended{flex:none;padding:10px 16px;text-align:center;font-size:13px;color:var(--text-2);border-top:1px solid var(--line);background:var(--surface)}
.chat-ended .link{margin-left:8px}
.chat-person{flex:none;padding:4px 16px;text-align:right;font-size:13px}
.chat-typed{flex:none;padding:4px 16px;text-align:center;font-size:12px;color:var(--text-2);background:var(--surface)}
.chat-fatal{flex:1;display:flex;flex-direction:column;align-items:center;justify-content:center;padding:24px;text-align:center;color:var(--text-2)}
.chat-fatal p{margin:12px 0 16px}
@media (pointer:coarse){.chat-ended .link,.chat-person .link{min-height:44px}}`;
const ALERT = 'M12 9v4.5m0 3.2v.1M10.6 4.2 2.8 17.8A1.6 1.6 0 0 0 4.2 20h15.6a1.6 1.6 0 0 0 1.4-2.2L13.4 4.2a1.6 1.6 0 0 0-2.8 0z';

let styled = false;

export interface Rare {
  fatal: string;
  queue: Queue | null | undefined;
  state: string | undefined;
  /** Agents see what is typed: said before a letter of it goes out. */
  typed: boolean | undefined;
  say: ((text: string) => void) | undefined;
  lang: string;
  /** To where one writes. */
  focus: () => void;
}

export function rare(o: Rare): Node[] {
  if (!styled) document.head.appendChild(document.createElement('style')).textContent = STYLE;
  styled = true;
  const book: Record<string, string> = o.lang === 'en' ? en : zh;
  const say = (key: string, n = 0) => (book[key] || book[key + (n === 1 ? '_one' : '_other')]!).replace('{n}', n.toLocaleString(o.lang));
  const out: Node[] = [];
  if (o.fatal) {
    const svg: Node = ['svg', { width: 20, height: 20, viewBox: '0 0 24 24', fill: 'none', stroke: 'currentColor', 'stroke-width': 1.8, 'aria-hidden': 'true' }, ['path', { d: ALERT }]];
    out.push(['div', { class: 'chat-fatal', role: 'alert' }, svg, ['p', null, say(o.fatal)], ['button', { class: 'btn', onClick: () => location.reload() }, say('reload')]]);
  }
  if (o.queue) {
    const ahead = o.queue.position - 1;
    const minutes = o.queue.eta_ms ? Math.max(1, Math.round(o.queue.eta_ms / 60_000)) : 0;
    const eta: Node[] = minutes > 0 ? [['span', null, say('queueEta', minutes)]] : [];
    out.push(['div', { class: 'chat-queue', role: 'status' }, ['b', null, ahead > 0 ? say('queue', ahead) : say('queueNext')], ...eta, ['p', null, say('queueHint')]]);
  }
  // Typed it is the same: ai/guard/policy.lua knows these words.
  if (o.state === 'bot') out.push(['div', { class: 'chat-person' }, ['button', { class: 'link', onClick: () => o.say && o.say(say('person')) }, say('person')]]);
  if (o.state === 'closed') out.push(['div', { class: 'chat-ended' }, ['span', null, say('ended')], ['button', { class: 'link', onClick: o.focus }, say('again')]]);
  if (o.typed) out.push(['p', { class: 'chat-typed' }, say('typed')]);
  return out;
}

// SPDX-License-Identifier: Apache-2.0
// What a message can have beyond its words: links, a bot's markdown, where an
// answer is from, that it was stopped, the button that stops it, the answers it
// offers. As data for text.tsx's view(); it comes with the first message that
// needs it.
import en from '../../locales/rich.en.json';
import zh from '../../locales/rich.zh-CN.json';
import { SAFE } from './linkify-all.ts';
import { link, markdown, words } from './markdown.ts';
import type { Around } from './media.ts';
import type { BubbleRow } from './rows.ts';
import type { Node } from './text.tsx';

// No flex gap: Chrome 64 draws this too.
const STYLE = `
.caret{display:inline-block;width:2px;height:1em;margin-left:2px;vertical-align:-2px;background:var(--text-2);animation:pulse .6s steps(2) infinite alternate}
.md{white-space:normal}
.md p,.md ul,.md ol,.md pre,.md blockquote,.md hr{margin:0 0 8px}
.md>:last-child,.md li>:last-child,.md blockquote>:last-child{margin-bottom:0}
.md ul{list-style:disc}.md ol{list-style:decimal}
.md ul,.md ol{padding-left:22px}
.md li{margin:2px 0}
.md li>ul,.md li>ol{margin:2px 0}
.md strong{font-weight:600}
.md code{padding:1px 4px;border-radius:4px;background:rgba(127,127,127,.16);font:13px/1.5 var(--mono);white-space:pre-wrap}
.md pre{max-width:100%;overflow-x:auto;padding:8px 10px;border-radius:8px;background:var(--surface);color:var(--text)}
.md pre code{padding:0;background:none;white-space:pre}
.md blockquote{padding-left:10px;border-left:3px solid var(--line-strong);color:var(--text-2)}
.md hr{border:0;border-top:1px solid var(--line-strong);opacity:.5}
.bubble .sources{margin-top:6px;padding-top:4px;border-top:1px solid rgba(127,127,127,.3);font-size:12px;line-height:18px;white-space:normal}
.sources summary{min-height:24px;line-height:24px;cursor:pointer;color:var(--text-2)}
.sources ol{list-style:decimal;padding-left:20px}
.sources li{margin:2px 0 4px}
.sources p{color:var(--text-2);display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:3;overflow:hidden}
.msg-cut{display:block;margin-top:4px;font-size:12px;color:var(--text-2)}
.msg-stop{display:block;margin-top:6px;min-height:32px;padding:0 12px;border:1px solid var(--line-strong);border-radius:16px;background:var(--surface);color:var(--text);font-size:13px;font-weight:500}
.msg-stop:hover,.choices button:hover{background:var(--hover)}
.choices{display:flex;flex-wrap:wrap;margin:4px 0 0 -8px}
.choices .chip,.choices button{margin:4px 0 0 8px}
.choices button{min-height:36px;padding:0 14px;border:1px solid var(--brand);border-radius:18px;background:var(--surface);color:var(--brand);font-weight:500}
.chat-log .choices{display:none}
.chat-log .msg:last-child .choices{display:flex}
@media (pointer:coarse){.sources summary{min-height:44px;line-height:44px}.msg-stop,.choices button{min-height:44px;border-radius:22px}}`;

const SOURCES = 10;
const CHOICES = 8;
const CHOICE_CHARS = 40;
let styled = false;

function style(): void {
  if (styled) return;
  styled = true;
  document.head.appendChild(document.createElement('style')).textContent = STYLE;
}

export interface Source {
  title?: string;
  url?: string;
  text?: string;
}

export function sourcesOf(given: unknown, title: string): Node[] {
  const all = Array.isArray(given) ? (given as (Source | null)[]).slice(0, SOURCES) : [];
  const items: Node[] = [];
  for (const s of all) {
    if (!s || typeof s !== 'object') continue;
    const url = typeof s.url === 'string' && SAFE.test(s.url) ? s.url : '';
    const name = typeof s.title === 'string' && s.title ? s.title : url;
    const text = typeof s.text === 'string' ? s.text.slice(0, 300) : '';
    if (!name && !text) continue;
    items.push(['li', null, url ? link(url, [name]) : name, ...(text ? [['p', null, text] as Node] : [])]);
  }
  if (!items.length) return [];
  return [['details', { class: 'sources' }, ['summary', null, title.replace('{n}', String(items.length))], ['ol', null, ...items]]];
}

/** Texts to answer with; typed they are the same. Only the last message of a
 * chat offers any: who wrote on has answered. Agents see what was offered. */
export function choicesOf(given: unknown, say?: (text: string) => void): Node[] {
  const all = (Array.isArray(given) ? given : []).filter((x): x is string => typeof x === 'string' && x !== '' && x.length <= CHOICE_CHARS).slice(0, CHOICES);
  const one = (text: string): Node => (say ? ['button', { type: 'button', onClick: () => say(text) }, text] : ['span', { class: 'chip' }, text]);
  return all.length ? [['span', { class: 'choices' }, ...all.map(one)]] : [];
}

/** Behind the last word, wherever that is. */
function atEnd(nodes: Node[], mark: Node): Node[] {
  const last = nodes[nodes.length - 1];
  if (!Array.isArray(last) || !/^(p|ul|ol|li|blockquote|pre|code)$/.test(last[0])) return [...nodes, mark];
  const [tag, attrs, ...children] = last;
  return [...nodes.slice(0, -1), [tag, attrs, ...atEnd(children, mark)]];
}

let drawn: { text: string; nodes: Node[] } = { text: '', nodes: [] };
const known = new Map<string, Node[]>();

/** A log is drawn anew with every piece that comes; read only what is new. */
function read(text: string, growing: boolean): Node[] {
  if (growing) return drawn.text === text ? drawn.nodes : (drawn = { text, nodes: markdown(text) }).nodes;
  let nodes = known.get(text);
  if (!nodes) {
    if (known.size > 200) known.clear();
    known.set(text, (nodes = markdown(text)));
  }
  return nodes;
}

export function rich(row: BubbleRow, text: string, lang: string, around: Around): Node[] {
  style();
  const say = lang === 'en' ? en : zh;
  const m = row.m;
  const out: Node[] = [];
  if (row.streaming || m.format === 'markdown') {
    let nodes = read(text, !!row.streaming);
    if (row.streaming) nodes = atEnd(nodes, ['span', { class: 'caret', 'aria-hidden': 'true' }]);
    const block = nodes.some((n) => typeof n !== 'string' && /^(p|ul|ol|pre|blockquote|hr)$/.test(n[0]));
    out.push([block ? 'div' : 'span', { class: 'md' }, ...nodes]);
  } else out.push(...words(text));
  if (m.cut !== undefined) out.push(['small', { class: 'msg-cut' }, m.cut === 'stopped' ? say.stopped : say.cut]);
  if (row.streaming && around.stop) out.push(['button', { class: 'msg-stop', type: 'button', onClick: () => around.stop!(m) }, say.stop]);
  out.push(...sourcesOf(m.sources, say.sources), ...choicesOf(m.choices, around.say));
  return out;
}

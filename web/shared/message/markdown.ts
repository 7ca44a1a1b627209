// SPDX-License-Identifier: Apache-2.0
// Markdown of bots as nodes of a closed list: what is not in here cannot come
// out, whatever the text says. marked reads it (its lexer only; it writes no
// HTML here). HTML in the text is text; pictures are links, for a foreign
// host must not learn who reads; tables stay lines.
import { Lexer, type MarkedOptions, type Token, type Tokens, Tokenizer } from 'marked';
import { pieces, SAFE } from './linkify-all.ts';
import type { Node } from './text.tsx';

/** Deeper is nobody's answer. */
const DEPTH = 12;
const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", nbsp: '\u00a0' };

class Reader extends Tokenizer {
  // Addresses are linkify's, which knows where Chinese begins.
  override url(): undefined {
    return undefined;
  }
  override table(): undefined {
    return undefined;
  }
}
const OPTIONS: MarkedOptions = { gfm: true, breaks: true, tokenizer: new Reader() };

export function link(href: string, children: Node[]): Node {
  return ['a', { href, title: href, target: '_blank', rel: 'noopener noreferrer nofollow' }, ...children];
}

/** Words with their addresses. */
export function words(text: string): Node[] {
  return pieces(text).map((p) => (p.href === undefined ? p.text : link(p.href, [p.text])));
}

function plain(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (_, k: string) => ENTITIES[k]!);
}

function linked(t: Tokens.Link | Tokens.Image, children: Node[]): Node[] {
  const href = plain(t.href).trim();
  // Written out, so that nobody believes to be led to where it does not go.
  if (!SAFE.test(href)) return [...children, ...(href && href !== t.text ? [' (' + href + ')'] : [])];
  return [link(href, children.length ? children : [href])];
}

function inline(tokens: Token[] | undefined, depth: number, inLink = false): Node[] {
  const out: Node[] = [];
  if (depth > DEPTH) return (tokens || []).map((t) => t.raw);
  for (const t of tokens || []) {
    const within = () => inline((t as Tokens.Generic).tokens, depth + 1, inLink);
    if (t.type === 'strong' || t.type === 'em' || t.type === 'del') out.push([t.type, null, ...within()]);
    else if (t.type === 'codespan') out.push(['code', null, (t as Tokens.Codespan).text]);
    else if (t.type === 'br') out.push(['br', null]);
    else if (t.type === 'checkbox') out.push((t as Tokens.Checkbox).checked ? '☑ ' : '☐ ');
    else if (t.type === 'escape') out.push((t as Tokens.Escape).text);
    else if (t.type === 'link' && !inLink) out.push(...linked(t as Tokens.Link, inline((t as Tokens.Link).tokens, depth + 1, true)));
    else if (t.type === 'image' && !inLink) out.push(...linked(t as Tokens.Image, [plain((t as Tokens.Image).text)].filter(Boolean)));
    else if (t.type === 'text' && (t as Tokens.Text).tokens) out.push(...within());
    else if (t.type === 'text') out.push(...(inLink ? [plain((t as Tokens.Text).text)] : words(plain((t as Tokens.Text).text))));
    else out.push(t.raw); // HTML, and whatever marked may learn
  }
  return out;
}

function list(t: Tokens.List, depth: number): Node {
  const items = t.items.map((i): Node => ['li', null, ...blocks(i.tokens, depth + 1, !i.loose)]);
  if (!t.ordered) return ['ul', null, ...items];
  return ['ol', typeof t.start === 'number' && t.start !== 1 ? { start: t.start } : null, ...items];
}

function blocks(tokens: Token[], depth: number, tight: boolean): Node[] {
  const out: Node[] = [];
  for (const t of tokens) {
    if (t.type === 'space' || t.type === 'def') continue;
    if (depth > DEPTH) out.push(t.raw);
    else if (t.type === 'code') out.push(['pre', { tabIndex: 0 }, ['code', null, (t as Tokens.Code).text]]);
    else if (t.type === 'list') out.push(list(t as Tokens.List, depth));
    else if (t.type === 'blockquote') out.push(['blockquote', null, ...blocks((t as Tokens.Blockquote).tokens, depth + 1, false)]);
    else if (t.type === 'hr') out.push(['hr', null]);
    else if (t.type === 'heading') out.push(['p', null, ['strong', null, ...inline((t as Tokens.Heading).tokens, depth)]]);
    else if (t.type === 'paragraph' || (t.type === 'text' && !tight)) out.push(['p', null, ...inline((t as Tokens.Paragraph).tokens, depth)]);
    else if (t.type === 'text' || t.type === 'checkbox') out.push(...inline([t], depth));
    else out.push(['p', null, t.raw]);
  }
  return out;
}

export function markdown(text: string): Node[] {
  try {
    const all = blocks(new Lexer(OPTIONS).lex(text), 0, false);
    const only = all[0];
    // One paragraph is drawn as any other message is.
    if (all.length === 1 && Array.isArray(only) && only[0] === 'p') return only.slice(2) as Node[];
    return all;
  } catch {
    return words(text); // a text made to break readers
  }
}

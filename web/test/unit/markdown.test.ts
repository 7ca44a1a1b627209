// SPDX-License-Identifier: Apache-2.0
// A bot's markdown: what it draws, and that nothing else ever comes out of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { markdown } from '../../shared/message/markdown.ts';
import { choicesOf, sourcesOf } from '../../shared/message/rich.ts';
import type { Node } from '../../shared/message/text.tsx';

const TAGS: Record<string, string[]> = {
  p: [], strong: [], em: [], del: [], code: [], pre: ['tabIndex'], br: [], hr: [], ul: [], ol: ['start'], li: [], blockquote: [],
  a: ['href', 'title', 'target', 'rel'],
  details: ['class'], summary: [],
};

/** Throws at the first thing that is not on the list. */
function judge(nodes: Node[]): void {
  for (const n of nodes) {
    if (typeof n === 'string') continue;
    assert.ok(Array.isArray(n), 'a node is text or an element');
    const [tag, attrs, ...children] = n;
    assert.ok(Object.prototype.hasOwnProperty.call(TAGS, tag), 'element ' + tag);
    for (const [k, v] of Object.entries(attrs || {})) {
      assert.ok(TAGS[tag]!.includes(k), `${tag} has ${k}`);
      if (k === 'href') assert.match(String(v), /^(https?:\/\/|mailto:|tel:)/i);
      if (k === 'rel') assert.equal(v, 'noopener noreferrer nofollow');
      if (k === 'start') assert.ok(Number.isInteger(v));
    }
    judge(children);
  }
}

/** As a browser would write it, to read in a test. */
function html(nodes: Node[]): string {
  const esc = (s: string) => s.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  return nodes.map((n) => (typeof n === 'string' ? esc(n) : `<${n[0]}${n[0] === 'a' ? ` ${String(n[1]!.href)}` : ''}>${html(n.slice(2) as Node[])}</${n[0]}>`)).join('');
}
const md = (s: string) => {
  const nodes = markdown(s);
  judge(nodes);
  return html(nodes);
};

test('what it draws', () => {
  assert.equal(md('just words'), 'just words');
  assert.equal(md('a **b** *c* `d` ~~e~~'), 'a <strong>b</strong> <em>c</em> <code>d</code> <del>e</del>');
  assert.equal(md('one\ntwo\n\nthree'), '<p>one<br></br>two</p><p>three</p>');
  assert.equal(md('- a\n- b\n  1. c'), '<ul><li>a</li><li>b<ol><li>c</li></ol></li></ul>');
  assert.equal(md('- [x] a\n- [ ] b'), '<ul><li>☑ a</li><li>☐ b</li></ul>');
  assert.deepEqual((markdown('3. c\n4. d')[0] as Node[])[1], { start: 3 });
  assert.equal(md('# Title\n\nwords'), '<p><strong>Title</strong></p><p>words</p>');
  assert.equal(md('```js\na < b\n```'), '<pre><code>a &lt; b</code></pre>');
  assert.equal(md('> said\n\n---'), '<blockquote><p>said</p></blockquote><hr></hr>');
  assert.equal(md('[shop](https://a.com/x?y=1)'), '<a https://a.com/x?y=1>shop</a>');
  assert.equal(md('mail [us](mailto:a@b.cn) or [call](tel:+8610)'), 'mail <a mailto:a@b.cn>us</a> or <a tel:+8610>call</a>');
  assert.equal(md('见https://a.com/b谢谢'), '见<a https://a.com/b>https://a.com/b</a>谢谢');
  assert.equal(md('a &lt; b &amp; c \\*d\\*'), 'a &lt; b &amp; c *d*');
  assert.equal(md('| a | b |\n|---|---|\n| 1 | 2 |'), '| a | b |<br></br>|---|---|<br></br>| 1 | 2 |', 'tables stay lines');
  assert.equal(md('half of **an ans'), 'half of **an ans', 'what grows is drawn as far as it is');
});

test('pictures are links: no foreign host learns who reads', () => {
  assert.equal(md('![cat](https://evil.example/p.png?u=1)'), '<a https://evil.example/p.png?u=1>cat</a>');
  assert.equal(md('![cat](data:image/png;base64,AAAA)'), 'cat (data:image/png;base64,AAAA)');
});

const VECTORS = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  'x <b onmouseover=alert(1)>y</b>',
  '<svg><script>alert(1)</script></svg>',
  '<iframe src="javascript:alert(1)">',
  '<a href="javascript:alert(1)">x</a>',
  '[x](javascript:alert(1))',
  '[x](JaVaScRiPt:alert(1))',
  '[x](java\nscript:alert(1))',
  '[x](\u0001javascript:alert(1))',
  '[x](&#106;avascript:alert(1))',
  '[x](&Tab;javascript:alert(1))',
  '[x](vbscript:msgbox(1))',
  '[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)',
  '[x](//evil.example)',
  '[x](/api/v1/logout)',
  '[x](blob:https://a.com/1)',
  '[x](file:///etc/passwd)',
  '<javascript:alert(1)>',
  '<https://a.com/"onclick="alert(1)>',
  '[x](https://a.com "title\\" onclick=alert(1)")',
  '![x](x" onerror="alert(1))',
  '[x]: javascript:alert(1)\n\n[x]',
  '[a]: https://a.com\n\n[a] [![b](javascript:1)](javascript:2)',
  '`<script>alert(1)</script>`',
  '```html"><script>alert(1)</script>\n<script>\n```',
  '- <script>alert(1)</script>\n- [x](javascript:1)',
  '> <img src=x onerror=1>',
  '&lt;script&gt;alert(1)&lt;/script&gt;',
  '<!-- --><script>1</script><!--',
  '<![CDATA[<script>1</script>]]>',
  '[__proto__](https://a.com) [constructor](https://a.com)',
];

test('XSS: every known way in is text', () => {
  for (const v of VECTORS) {
    const out = md(v);
    assert.doesNotMatch(out, /<(script|img|iframe|svg|b)[ >]|<a (?!https?:\/\/|mailto:|tel:)/i, v);
    md('x ' + v + ' y\n' + v);
  }
  assert.equal(md('<b>not</b> bold'), '&lt;b>not&lt;/b> bold');
});

test('fuzz: nothing but the list comes out, and soon', () => {
  let seed = 20260711;
  const rand = (n: number) => ((seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 8) % n;
  const PARTS = [...VECTORS, '*', '**', '_', '`', '```', '~~', '[', ']', '(', ')', '![', '](', '<', '>', '</', '"', "'", '\n', '\n\n', '  \n', '- ', '1. ', '> ', '#', '|', '---', '\\', '&', '&amp;', ';', ':', '://', 'https://a.b/c', 'javascript:', 'data:', 'a@b.cn', '你好', '👍', '\u0000', '\u202e', ' ', 'x', 'on', '='];
  for (let i = 0; i < 4000; i++) {
    let s = '';
    for (let n = rand(24); n >= 0; n--) s += PARTS[rand(PARTS.length)];
    judge(markdown(s));
  }
  for (const bad of ['[', '![', '*a', '**', '_a ', '`', '> ', '- ', '<', '[a](', '<a ', '~', '\\', '(', '&', '| ', '1. ', '[a][', '*_', '``` ', '    - ', '\n> - ']) {
    const at = Date.now();
    judge(markdown(bad.repeat(Math.ceil(16_384 / bad.length))));
    assert.ok(Date.now() - at < 2_000, `${JSON.stringify(bad)} took ${Date.now() - at} ms`);
  }
});

test('sources: titles, texts, links of the list; nonsense is left out', () => {
  const of = (s: unknown) => {
    const nodes = sourcesOf(s, 'Sources ({n})');
    for (const n of nodes) assert.equal((n as Node[])[0], 'details');
    judge(nodes);
    return html(nodes);
  };
  assert.equal(of(undefined), '');
  assert.equal(of([]), '');
  assert.equal(of('x'), '');
  assert.equal(of([null, 7, {}, { title: 5 }]), '');
  assert.equal(
    of([{ title: '退货政策.md', text: '七天无理由' }, { title: 'Terms', url: 'https://a.com/t' }, { url: 'https://a.com/u' }, { title: 'bad', url: 'javascript:alert(1)' }]),
    '<details><summary>Sources (4)</summary><ol><li>退货政策.md<p>七天无理由</p></li><li><a https://a.com/t>Terms</a></li><li><a https://a.com/u>https://a.com/u</a></li><li>bad</li></ol></details>',
  );
});

test('choices: texts alone, short and few, buttons only for who may answer', () => {
  const said: string[] = [];
  const [box] = choicesOf(['确认', 7, '', null, 'x'.repeat(41), '取消'], (t) => said.push(t)) as [unknown[]];
  const buttons = (box as unknown as [string, unknown, ...[string, { onClick: () => void }, string][]]).slice(2) as [string, { onClick: () => void }, string][];
  assert.deepEqual(buttons.map((b) => [b[0], b[2]]), [['button', '确认'], ['button', '取消']]);
  buttons[1]![1].onClick();
  assert.deepEqual(said, ['取消']);
  assert.equal((choicesOf(Array(20).fill('a'))[0] as unknown[]).length, 2 + 8);
  assert.ok(!JSON.stringify(choicesOf(['a'])).includes('button'));
  for (const bad of [undefined, null, 'text', {}, [[]]]) assert.deepEqual(choicesOf(bad), []);
});

// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { emojis } from '../../shared/message/emoji.ts';
import { test } from 'node:test';
import { fakeClock } from './clock.ts';
import { compositionEnd, compositionStart, enterWish, isComposing } from '../../shared/composer/ime.ts';
import { byteLength } from '../../shared/composer/composer.tsx';
import { Drafts } from '../../shared/composer/drafts.ts';
import { keyName } from '../../shared/hotkeys.ts';
import { clock, initWords, lang, setLang, shortTime, span, t as words } from '../../shared/i18n.ts';
import { initials } from '../../shared/kit/avatar.tsx';
import { boxOf, sizeText } from '../../shared/message/media.ts';
import { pieces } from '../../shared/message/linkify-all.ts';
import { buildRows } from '../../shared/message/rows.ts';
import { Reading } from '../../shared/presence/reading.ts';
import { onColor } from '../../shared/theme.ts';
import { MemoryStore } from '../../sdk/storage.ts';
import type { OutItem } from '../../sdk/outbox.ts';
import type { Message } from '../../sdk/types.ts';

const key = (o: object = {}) => ({ key: 'Enter', code: 'Enter', keyCode: 13, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...o });
const desk = { touch: false, modSends: false };

test('Enter sends, Shift+Enter breaks by itself, Ctrl+Enter is given a line', () => {
  assert.equal(enterWish(key(), desk), 'send');
  assert.equal(enterWish(key({ shiftKey: true }), desk), 'none');
  assert.equal(enterWish(key({ ctrlKey: true }), desk), 'newline');
  assert.equal(enterWish(key(), { touch: true, modSends: false }), 'none');
  assert.equal(enterWish(key(), { touch: false, modSends: true }), 'none');
  assert.equal(enterWish(key({ metaKey: true }), { touch: false, modSends: true }), 'send');
});

test('an Enter inside a composition is the input method’s', () => {
  compositionStart();
  assert.equal(enterWish(key({ keyCode: 229, key: 'Process' }), desk), 'none');
  compositionEnd();
  assert.equal(enterWish(key({ isComposing: true }), desk), 'none');
});

test('Safari: 229 right after compositionend is not an Enter; 229 later is one', () => {
  compositionStart();
  compositionEnd(1000);
  assert.equal(isComposing({ keyCode: 229 }, 1050), true);
  assert.equal(isComposing({ keyCode: 229 }, 1121), false);
  assert.equal(isComposing({ keyCode: 13 }, 1001), false);
});

test('links end where Chinese begins, and only harmless schemes are links', () => {
  const links = (s: string) => pieces(s).filter((p) => p.href).map((p) => p.text);
  assert.deepEqual(links('请看https://example.com/a?b=1谢谢'), ['https://example.com/a?b=1']);
  assert.deepEqual(links('见 example.com。写信到 a@b.com，好'), ['example.com', 'a@b.com']);
  assert.deepEqual(links('javascript:alert(1) file.txt 3.14 data:text/html,x'), []);
  assert.deepEqual(links('http://192.168.1.3:8080/x(1)'), ['http://192.168.1.3:8080/x(1)']);
  assert.equal(pieces('见 example.com。').map((p) => p.text).join(''), '见 example.com。');
});

test('bytes are counted as UTF-8', () => {
  for (const s of ['', 'abc', 'é', '悦来', '😀a', '👨‍👩‍👧']) assert.equal(byteLength(s), Buffer.byteLength(s), s);
});

const msg = (seq: number, role: 'visitor' | 'agent' | 'system', at: number, o: Partial<Message> = {}): Message => ({ id: 'm' + seq, seq, kind: 'text', text: 'x', at, sender: { role, id: role }, ...o });
const out = (ref: string, at: number): OutItem => ({ ref, kind: 'text', text: 'o', at, state: 'queued' });
const base = { outbox: [] as OutItem[], isMine: (m: Message) => m.sender.role === 'agent', self: { role: 'agent' as const, id: 'agent' }, readUpTo: 0 };

test('rows: days, groups of five minutes, system lines as pills', () => {
  const d = new Date(2030, 0, 5, 10).getTime();
  const rows = buildRows({ ...base, messages: [msg(1, 'visitor', d), msg(2, 'visitor', d + 60_000), msg(3, 'visitor', d + 600_000), msg(4, 'system', d + 600_001), msg(5, 'agent', d + 86_400_000)] });
  assert.deepEqual(rows.map((r) => r.type), ['day', 'msg', 'msg', 'msg', 'pill', 'day', 'msg']);
  assert.deepEqual(rows.filter((r) => r.type === 'msg').map((r) => [r.head, r.tail]), [[true, false], [false, true], [true, true], [true, true]]);
});

test('rows: unsent items last, a stored one only once, with the same key', () => {
  const d = Date.now();
  const rows = buildRows({ ...base, messages: [msg(1, 'agent', d, { ref: 'r1' })], outbox: [out('r1', d), out('r2', d)], readUpTo: 1 });
  const b = rows.filter((r) => r.type === 'msg');
  assert.deepEqual(b.map((r) => [r.key, r.tick]), [['r1', 'read'], ['r2', 'queued']]);
});

test('rows: the unread line comes before the first unread of the other side', () => {
  const d = Date.now();
  const rows = buildRows({ ...base, messages: [msg(1, 'visitor', d), msg(2, 'agent', d), msg(3, 'visitor', d), msg(4, 'visitor', d)], unreadAfter: 1 });
  assert.deepEqual(rows.map((r) => r.type), ['day', 'msg', 'msg', 'unread', 'msg', 'msg']);
});

test('read: only when looked at for 500 ms, only forward, not while paused', (t) => {
  const clk = fakeClock(t);
  let looking = false;
  const sent: number[] = [];
  const r = new Reading({ send: (s) => (sent.push(s), true), looking: () => looking });
  r.onScreen(3);
  clk.tick(1000);
  assert.deepEqual(sent, []);
  looking = true;
  r.onScreen(3);
  clk.tick(400);
  r.onScreen(4);
  clk.tick(499);
  assert.deepEqual(sent, []);
  clk.tick(2);
  assert.deepEqual(sent, [4]);
  r.onScreen(2);
  clk.tick(1000);
  r.paused = true;
  r.onScreen(9);
  clk.tick(1000);
  assert.deepEqual(sent, [4]);
});

test('drafts: saved after 300 ms, dropped at once', (t) => {
  const clk = fakeClock(t);
  const store = new MemoryStore();
  const d = new Drafts(store, 'd.');
  d.set('c:reply', '半句');
  assert.equal(d.get('c:reply'), '半句');
  assert.equal(store.get('d.c:reply'), null);
  clk.tick(301);
  assert.equal(store.get('d.c:reply'), '半句');
  d.drop('c:reply');
  clk.tick(1000);
  assert.equal(d.get('c:reply'), '');
});

test('words: holes, plurals, both languages; unknown keys show themselves', () => {
  initWords({ 'zh-CN': { hi: '你好 {name}', 'n_one': '{n} 条', 'n_other': '{n} 条', 'time.today': '今天', 'time.yesterday': '昨天' }, en: { hi: 'Hi {name}', n_one: '{n} thing', n_other: '{n} things', 'time.today': 'Today', 'time.yesterday': 'Yesterday' } }, 'zh');
  assert.equal(words('hi', { name: '$& <b>' }), '你好 $& <b>');
  setLang('en');
  assert.equal(lang.value, 'en');
  assert.equal(words('n', { n: 1 }), '1 thing');
  assert.equal(words('n', { n: 1200 }), '1,200 things');
  assert.equal(words('nothing.here'), 'nothing.here');
});

test('times: HH:mm today, yesterday by name, spans count up', () => {
  const now = new Date(2030, 4, 2, 0, 5).getTime();
  assert.equal(clock(now), '00:05');
  assert.equal(shortTime(now, now), '00:05');
  assert.equal(shortTime(now - 600_000, now), 'Yesterday');
  assert.equal(shortTime(new Date(2029, 11, 31).getTime(), now).includes('2029'), true);
  assert.equal(span(134_000), '2:14');
  assert.equal(span(3_661_000), '1:01:01');
});

test('small things: initials, key names, colour on colour', () => {
  assert.equal(initials('王小明'), '明');
  assert.equal(initials('Alice Johnson'), 'AJ');
  assert.equal(initials(''), '?');
  assert.equal(keyName('Mod+KeyK', false), 'Ctrl+K');
  assert.equal(keyName('Shift+Slash'), '?');
  assert.equal(keyName('KeyG KeyI'), 'G I');
  assert.equal(onColor('#2459d6'), '#ffffff');
  assert.equal(onColor('#ffe066'), '#0b1220');
});

test('a file’s size in words, a picture’s place from its data', () => {
  assert.deepEqual([0, 1023, 1024, 1_048_000, 1_048_576, 1_073_741_824].map(sizeText), ['0 B', '1023 B', '1 KB', '1023 KB', '1.0 MB', '1.0 GB']);
  assert.deepEqual(boxOf({ id: 'f', width: 1200, height: 800 }), { width: 240, height: 160 });
  assert.deepEqual(boxOf({ id: 'f', width: 100, height: 50 }), { width: 100, height: 50 });
  assert.deepEqual(boxOf({ id: 'f', width: 9000, height: 10 }), { width: 240, height: 32 });
  assert.equal(boxOf({ id: 'f' }), null);
});

test('faces that platforms write as words are emoji; what is none, and addresses, stay', () => {
  const of: [string, string][] = [
    ['谢谢[微笑]', '谢谢🙂'],
    ['好的/::)/:rose', '好的🙂🌹'],
    ["thanks/:rose/:heart", 'thanks🌹❤️'],
    ["/::'(/::'|", '😭😢'],
    ['/::P/::P-(', '😜😜-('],
    ['/:P-(', '🥺'],
    ['[OK][订单][破涕为笑]', '👌[订单]😂'],
    ['/:very /:v', '/:very ✌️'],
    ['https://a.com/:ok/[微笑] 看 /:ok', 'https://a.com/:ok/[微笑] 看 👌'],
    ['[constructor] [__proto__] no codes', '[constructor] [__proto__] no codes'],
    ['plain', 'plain'],
  ];
  for (const [from, to] of of) assert.equal(emojis(from), to);
});

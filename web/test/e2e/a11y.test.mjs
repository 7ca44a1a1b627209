// SPDX-License-Identifier: Apache-2.0
// axe-core finds nothing: every page, both themes, both languages, and phone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACME, assistant, canary, flow, script } from '../fake-house.mjs';
import { axe, axeBoth, clean, openWidget, page, signIn, signInByHand, useBrowser, visit, write } from './lib.mjs';

const h = useBrowser();

function talk(f) {
  const me = [...f.agents.values()][0];
  const c = f.say('在吗？ https://example.com', 'Anna');
  f.answer(c, '在的', { by: me });
  f.answer(c, '老客户', { private: true });
  f.answer(c, '机器人的话', { bot: true });
  f.store({ role: 'system', id: 'sys' }, c, { kind: 'text', text: '会话已转接' });
  f.say('more', 'Anna');
  f.say('x', 'Bob');
  return c;
}

for (const locale of ['zh-CN', 'en']) {
  test(`console, light and dark, ${locale}`, async () => {
    const f = await h.fake();
    const p = await page(h.browser, { locale });
    await p.goto(f.url + '/console/');
    await p.waitForSelector('#email');
    await axeBoth(p, p, 'login');
    await signInByHand(p);
    await p.waitForSelector('.empty');
    await axeBoth(p, p, 'empty inbox');
    const c = talk(f);
    await p.locator('.conv', { hasText: 'Anna' }).click();
    await p.locator('.msg.bot').waitFor();
    f.refuse = (x) => (x.type === 'send' ? { code: 'forbidden', message: 'no' } : null);
    await write(p, 'refused');
    await p.locator('.msg-failed').waitFor();
    await axeBoth(p, p, 'thread');
    await p.locator('.reply-tabs [data-key=note]').click();
    await axeBoth(p, p, 'note');
    await p.locator('.thread-head .opt').first().click();
    await p.locator('dialog').waitFor();
    await axeBoth(p, p, 'transfer');
    await p.keyboard.press('Escape');
    await p.locator('.rail-me').click();
    await p.locator('.menu').waitFor();
    await axeBoth(p, p, 'menu');
    await p.keyboard.press('Escape');
    await p.locator('body').click({ position: { x: 700, y: 120 } });
    await p.keyboard.press('Shift+Slash');
    await p.locator('dialog .keys').waitFor();
    await axeBoth(p, p, 'help');
    await p.keyboard.press('Escape');
    f.scripts.push({ name: 'rules/bad.lua', state: 'last_good', kind: 'rule', version: '1', errors: [{ phase: 'load', file: 'rules/bad.lua', line: 7, message: 'no', traceback: 'stack', last_at: Date.now() }] });
    await p.locator('.rail a[href$=scripts]').click();
    await p.locator('.script-errors li').waitFor();
    await axeBoth(p, p, 'scripts');
    assert.ok(c);
    clean(p);
  });

  test(`chat and demo, light and dark, ${locale}`, async () => {
    const f = await h.fake();
    const p = await page(h.browser, { locale });
    const chat = await openWidget(p, f.url);
    const frame = () => p.frames().find((x) => x.url().includes('/chat/'));
    await write(chat, 'hello https://example.com');
    await chat.locator('.tick-stored').waitFor();
    const conv = [...f.convs.values()][0];
    f.answer(conv, '您好');
    f.answer(conv, '机器人', { bot: true });
    await chat.locator('.msg.bot').waitFor();
    await axeBoth(p, p, 'demo with the widget open');
    await axeBoth(p, frame(), 'chat in the widget');
    conv.state = 'closed';
    f.event('conversation.closed', conv.id, conv);
    await chat.locator('.chat-ended').waitFor();
    await axeBoth(p, frame(), 'ended');
    clean(p);
  });
}

for (const [colorScheme, locale] of [['light', 'zh-CN'], ['dark', 'en']]) {
  test(`the house's pages, ${colorScheme}, ${locale}`, async () => {
    const f = await h.fake();
    const c = talk(f);
    const m = f.messages.get(c.id);
    f.scripts.push(script('rules/20', { canary: canary(), note: 'rolled back', errors: [{ phase: 'run', file: 'rules/20.lua', line: 1, message: 'no', traceback: 'x', count: 2, last_at: Date.now() }] }));
    f.versions.set('rules/20', [{ script: 'rules/20', version: '45b12d63a380', state: 'canary', since_at: 1, until_at: null, note: '', sources: [{ name: 'a.lua', text: 'x\ny' }] }, { script: 'rules/20', version: '0acca1f229ec', state: 'serving', since_at: 1, until_at: 2, note: 'n', sources: [{ name: 'a.lua', text: 'x' }] }]);
    f.flows.push(flow(c.id), flow(null, { id: 'fl_2', state: 'failed', error: 'no' }));
    f.deads.push({ id: 'dl_1', created_at: 1, conversation: c.id, message: m[0].id, hook: 'on_message', script: 'rules/20', reason: 'no', data: {}, runs: 1 });
    f.types.push(ACME, { ...ACME, type: 'later', state: 'pending' });
    f.channels.push({ id: 'ch_2', type: 'acme', name: 'Acme', enabled: false, state: 'disabled', breaker: 'half-open', waiting: 2, oldest_waiting_at: 1, last_in_at: 1, last_out_at: null, last_error: { code: 'timeout', text: 'no', at: 2 }, webhook_url: '/hooks/ch_2', config: { url: 'x', key: 'k', spare: 's' }, created_at: 1, updated_at: 1 });
    f.outbox.push({ id: 'ob_1', message: m[1].id, conversation: c.id, channel: 'ch_2', contact: c.contact, seq: 2, state: 'dead', attempts: 2, to: 'x', reason: 'no', due_at: 0, created_at: 1, updated_at: 1 });
    f.traces.set(m[0].id, { jobs: [{ hook: 'on_message', at: m[0].at, took_ms: 1, default: true, hops: [{ unit: 'rules/20', version: '1', us: 5, outcome: 'decided' }], effects: [{ type: 'reply', text: 'x', refused: 'late' }] }] });
    const p = await page(h.browser, { colorScheme, locale });
    await signIn(p, f.url);
    const see = async (path, sign, what) => {
      await visit(p, f.url + '/console' + path);
      await p.locator(sign).first().waitFor();
      await axe(p, what);
    };
    await see('/scripts', '.row', 'scripts');
    await see('/scripts/rules/20', '.versions li', 'script');
    await p.locator('.trial .btn').first().click();
    await p.locator('.diff').waitFor();
    await axe(p, 'diff');
    await see('/flows', '.row', 'flows');
    await see('/flows/fl_1', '.saga', 'flow');
    await see('/failed', '.letter', 'dead letters');
    await see('/failed/unsent', '.letter', 'unsent');
    await see('/channels', '.row', 'channels');
    await see('/channels/ch_2', '#set-url', 'channel');
    await see('/channels/new', '.type', 'types');
    await p.locator('.type').nth(2).click();
    await p.locator('#set-url').waitFor();
    await axe(p, 'a new channel');
    f.assistants.push(assistant('presale', { fallback: ['backup', 'gone'], limits: { day_tokens: 2000, day_cost: 0.5 }, cache: { ttl: '2h' } }), assistant('backup', { breaker: 'open', waiting: 2, trouble: 'unauthorized: HTTP 401' }), assistant('night', { enabled: false, state: 'disabled' }));
    await see('/assistants', '.row-wrong', 'assistants');
    await see('/assistants/as_presale', '.uses', 'assistant');
    for (const s of await p.locator('.fold summary').all()) await s.click();
    await axe(p, 'assistant, unfolded');
    await see('/assistants/new', '.type', 'a new assistant');
    await see('/c/' + c.id, '.copilot', 'thread with the co-pilot');
    f.copilot = () => ({ pieces: ['好'], error: 'unauthorized: HTTP 401', wait: new Promise((ok) => (f.go = ok)) });
    await p.locator('.copilot .btn').first().click();
    await p.locator('.copilot-said p').waitFor();
    await axe(p, 'the co-pilot writes');
    f.go();
    await p.locator('.copilot-strip.bad').waitFor();
    await axe(p, 'the co-pilot failed');
    f.giveBot(c, 'presale');
    f.answer(c, 'x', { who: { role: 'visitor', id: c.contact, name: 'Anna' }, more: { original: 'y', language: 'en' } });
    f.answer(c, 'asked', { who: { role: 'system', id: '' }, private: true, more: { handover: 'asked' } });
    await p.locator('.bot-bar').waitFor();
    f.delta(c, 'tn_1', 0, '您好');
    await p.locator('.left-behind').waitFor();
    await p.locator('.msg.bot', { hasText: '您好' }).waitFor();
    await axe(p, 'a bot answers');
    f.assign(c, null);
    await see('/c/' + c.id, '.why', 'thread with why');
    await p.locator('.why').first().click({ force: true });
    await p.locator('.why-line .refused').waitFor();
    await axe(p, 'why');
    clean(p);
  });
}

test('console on a phone', async () => {
  const f = await h.fake();
  const p = await page(h.browser, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  await signIn(p, f.url);
  talk(f);
  await p.locator('.conv', { hasText: 'Anna' }).waitFor();
  await axe(p, 'list');
  await p.locator('.conv', { hasText: 'Anna' }).tap();
  await p.locator('.msg.bot').waitFor();
  await axe(p, 'thread');
  await p.locator('.thread-head .icon-btn').last().tap();
  await p.locator('.details').waitFor();
  await axe(p, 'details');
  clean(p);
});

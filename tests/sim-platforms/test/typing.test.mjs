// SPDX-License-Identifier: Apache-2.0
// An agent types in the console's socket, and the customer's platform is told: once
// at first, not at each key; and a platform that will not hear of it harms nobody.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EMAIL, PASSWORD, Real } from '../../../web/test/real/server.mjs';
import { House } from '../lib/house.mjs';
import { start } from '../lib/load.mjs';
import { agent_socket } from '../lib/load_run.mjs';
import { waits } from '../lib/until.mjs';

const USERS = { telegram: '42000009', wechat: 'oANNA9', whatsapp: '8613800000009', line: 'U' + '9'.repeat(32) };
let server, house, socket;
const sims = [];

const until = waits(() => server.log, 20_000);
before(async () => {
  server = await new Real().up();
  house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  socket = await agent_socket(server.url, house.token, () => {});
});
after(async () => {
  socket?.close();
  for (const s of sims) await s.close();
  await server?.end();
});

for (const [name, user] of Object.entries(USERS)) {
  test(`${name}: the customer sees that an agent types`, async () => {
    const sim = await start(name, { pace: 0.05 });
    sims.push(sim);
    const told = [];
    sim.on('typing', (who, on) => on !== false && told.push(who));
    sim.on('refused', (why, what) => assert.fail(`${why} ${what}`));
    const channel = await house.wire(sim);
    assert.ok((await sim.says(user, 'typing ' + name)).taken);
    const conversation = await until('a conversation', async () => (await house.call('GET', '/api/v1/conversations?limit=100')).items.find((c) => (c.channel?.id ?? c.channel) === channel.id)?.id);
    const types = () => socket.types(conversation);
    types();
    await until('it is told', () => told.length === 1);
    for (let i = 0; i < 5; i++) types();
    sim.faults.down = true;
    types();
    sim.faults.down = false;
    await house.call('POST', `/api/v1/conversations/${conversation}/messages`, { kind: 'text', text: 'here I am' });
    await until('the answer', () => sim.texts().includes('here I am'));
    assert.deepEqual(told, [user]);
  });
}

// SPDX-License-Identifier: Apache-2.0
// Simulators of platforms and providers, for tests, demos and people.
//   node main.mjs play NAME …    node main.mjs serve NAME…    node main.mjs demo …
import { createInterface } from 'node:readline';
import { control } from './lib/control.mjs';
import { CONTROL_PORT, demo } from './lib/demo.mjs';
import { House } from './lib/house.mjs';
import { load, models, platforms, start } from './lib/load.mjs';
import { HELP, player } from './lib/play.mjs';

const USAGE = `usage: yuelai sim NAME [--server URL] [--channel ID] [--email E] [--password P]
                  [--token T] [--set KEY=VALUE]... [--as CUSTOMER] [--control URL]
       yuelai sim serve NAME... [--control-port N] [--hook URL] [--set KEY=VALUE]...
       yuelai sim list

Plays a platform against a running server: you are its customer. If a demo runs
(make run DEMO=1) its platform is taken; else a channel "sim NAME" is made on the
server (default http://127.0.0.1:8080), for which it asks who you are. --channel:
an own channel; --set then gives the simulator its settings (token=..., secret=...),
and the channel's API address is to be set to the one that is shown.
serve: without a person, set by the control address (lib/control.mjs lists it).
`;

function fail(sentence, code = 1) {
  console.error('yuelai sim: ' + sentence);
  process.exit(code);
}

const VALUES = ['server', 'channel', 'email', 'password', 'token', 'set', 'as', 'control', 'control-port', 'hook', 'program', 'data', 'listen'];
function read(argv) {
  const out = { rest: [], set: {} };
  for (let i = 0; i < argv.length; i++) {
    const m = /^--([a-z-]+)(?:=(.*))?$/s.exec(argv[i]);
    if (!m) out.rest.push(argv[i]);
    else if (m[1] === 'help') out.help = true;
    else if (!VALUES.includes(m[1])) fail(`there is no --${m[1]}\n\n${USAGE}`, 2);
    else {
      const value = m[2] ?? argv[++i];
      if (value === undefined) fail(`--${m[1]} wants a value\n\n${USAGE}`, 2);
      if (m[1] !== 'set') out[m[1]] = value;
      else if (/^\w+=/.test(value)) out.set[value.slice(0, value.indexOf('='))] = value.slice(value.indexOf('=') + 1);
      else fail('--set wants KEY=VALUE', 2);
    }
  }
  return out;
}

/** Asks in the terminal; what is secret is not shown. */
function ask(question, secret) {
  if (!process.stdin.isTTY) fail(`it needs to know who you are: --email and --password, --token, or YUELAI_ADMIN_EMAIL and YUELAI_ADMIN_PASSWORD`, 2);
  return new Promise((ok) => {
    const rl = createInterface({ input: process.stdin, output: process.stdout, terminal: true });
    rl.question(question, (answer) => (rl.close(), secret && process.stdout.write('\n'), ok(answer)));
    if (secret) rl._writeToOutput = () => {};
  });
}

/** Somebody's running simulator of that name, or undefined. */
async function attached(url, name, wanted) {
  const list = await fetch(url).then((r) => r.json(), () => undefined);
  const found = list?.items?.find((s) => s.name === name);
  if (!found && wanted) fail(list ? `${url} has no simulator ${name}` : `nobody answers at ${url}`);
  return found && { url, ...found };
}

async function own(name, o) {
  const server = (o.server ?? 'http://127.0.0.1:8080').replace(/\/+$/, '');
  const house = new House(server, o.token ?? process.env.YUELAI_TOKEN);
  const sim = await start(name, o.set);
  if (o.channel) sim.hook = o.hook ?? house.hook_of(o.channel);
  else {
    if (!house.token) await house.sign_in(o.email ?? process.env.YUELAI_ADMIN_EMAIL ?? (await ask('email: ')), o.password ?? process.env.YUELAI_ADMIN_PASSWORD ?? (await ask('password: ', true)));
    await house.wire(sim);
  }
  const door = await control(new Map([[name, sim]]));
  return { url: door.url, name, hook: sim.hook, api: sim.url, sim };
}

async function play(name, o) {
  if ((await load(name)).kind !== 'platforms') fail(`${name} is a model's simulator: yuelai sim serve ${name}`, 2);
  const control_url = o.control ?? `http://127.0.0.1:${CONTROL_PORT}`;
  const free = !o.server && !o.channel && !Object.keys(o.set).length;
  const it = (o.control || free ? await attached(control_url, name, o.control) : undefined) ?? (await own(name, o));
  const call = async (what, body) => {
    const res = await fetch(`${it.url}/${name}/${what}`, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
    const answer = await res.json();
    if (!res.ok) throw new Error(answer.error);
    return answer;
  };
  const rl = createInterface({ input: process.stdin, output: process.stdout, prompt: '> ' });
  const lines = rl[Symbol.asyncIterator](); // from now on: what is typed early counts
  const say = (line) => {
    if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
    console.log(line);
    rl.prompt(true);
  };
  console.log(`${name}: callbacks go to ${it.hook ?? '(nowhere)'}${it.api ? `, its interface is ${it.api}` : ''}\n/help lists what you can do; /quit leaves`);
  let last = (await call('shown?after=999999999')).last;
  let gone = false;
  const listen = (async () => {
    while (!gone) {
      const got = await call(`shown?after=${last}&wait_ms=25000`).catch(() => ((gone = true), { items: [], last }));
      for (const m of got.items) {
        last = m.n;
        say(`<< ${m.user}: ${m.text}`);
      }
    }
  })();
  const line = player({ call, say, customer: o.as });
  rl.prompt();
  for await (const text of lines) {
    if (!(await line(text))) break;
    rl.prompt();
  }
  gone = true;
  rl.close();
  await Promise.race([listen, new Promise((ok) => setTimeout(ok, 300))]);
  await it.sim?.close();
  process.exit(0);
}

async function serve(names, o) {
  if (!names.length) fail(`serve what? ${[...platforms(), ...models()].join(' ')}`, 2);
  const sims = new Map();
  for (const name of names) sims.set(name, await start(name, { ...o.set, hook: o.hook }));
  const door = await control(sims, { port: Number(o['control-port'] ?? 0) });
  for (const [name, sim] of sims) console.log(`${name} ${sim.url}`);
  console.log(`control ${door.url}`);
}

async function main() {
  if (Number(process.versions.node.split('.')[0]) < 18) fail(`Node.js 18 or newer is needed, this is ${process.version}`);
  const [, , ...argv] = process.argv;
  const o = read(argv);
  if (o.rest[0] === 'play') o.rest.shift();
  const [name, ...rest] = o.rest;
  if (o.help || !name || name === 'help') {
    console.log(`${USAGE}\nplatforms: ${platforms().join(' ')}\nmodels:    ${models().join(' ') || '-'}\n\n${HELP}`);
    process.exit(o.help || name ? 0 : 2);
  }
  if (name === 'list') return console.log([...platforms(), ...models()].join('\n'));
  if (name === 'serve') return serve(rest, o);
  if (name === 'demo') {
    if (!o.program || !o.data) fail('demo wants --program FILE and --data DIR', 2);
    process.exit(await demo({ program: o.program, data: o.data, listen: o.listen, port: Number(o['control-port'] ?? CONTROL_PORT), say: console.log }));
  }
  if (rest.length) fail(`one platform at a time\n\n${USAGE}`, 2);
  return play(name, o);
}

main().catch((e) => fail(e.cause?.message ? `${e.message}: ${e.cause.message}` : e.message));

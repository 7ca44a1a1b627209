// SPDX-License-Identifier: Apache-2.0
// The shop's side as an operator sees it: its REST interface.

export class House {
  constructor(url, token) {
    this.url = url.replace(/\/+$/, '');
    this.token = token;
  }
  async call(method, path, body) {
    const headers = { 'content-type': 'application/json' };
    if (this.token) headers.authorization = 'Bearer ' + this.token;
    const res = await fetch(this.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await res.text();
    const answer = text ? JSON.parse(text) : {};
    if (!res.ok) throw Object.assign(new Error(answer.error?.message ?? `HTTP ${res.status}`), { status: res.status, code: answer.error?.code });
    return answer;
  }
  async sign_in(email, password) {
    this.token = (await this.call('POST', '/api/v1/login', { email, password })).token;
    return this;
  }
  hook_of(id) {
    return `${this.url}/hooks/${id}`;
  }
  /** A channel wired to a simulator; the one of that name, if there is one. */
  async wire(sim, name = `sim ${sim.name}`) {
    const list = await this.call('GET', `/api/v1/channels?type=${sim.name}&limit=100`);
    const known = list.items.find((c) => c.name === name);
    const channel = known ? await this.call('PATCH', '/api/v1/channels/' + known.id, { config: sim.config, enabled: true }) : await this.call('POST', '/api/v1/channels', { type: sim.name, name, config: sim.config });
    sim.hook = this.hook_of(channel.id);
    return channel;
  }
  /** The number of a counter of /metrics; labels as a text that its line has. */
  async metric(name, has = '') {
    const res = await fetch(this.url + '/metrics', { headers: this.token ? { authorization: 'Bearer ' + this.token } : {} });
    let sum = 0;
    for (const line of (await res.text()).split('\n')) if (line.startsWith(name) && /[ {]/.test(line[name.length]) && line.includes(has)) sum += Number(line.slice(line.lastIndexOf(' ') + 1));
    return sum;
  }
}

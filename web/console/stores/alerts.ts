// SPDX-License-Identifier: Apache-2.0
// What makes itself heard: sound, desktop notice, title. Once, however many
// tabs are open. Sound is on for new users.
import { effect, signal } from '@preact/signals';
import type { Message } from '../../sdk/types.ts';
import { t } from '../../shared/i18n.ts';
import { claim } from '../../shared/presence/claim.ts';
import { notice } from '../../shared/presence/notify.ts';
import { isLooking } from '../../shared/presence/reading.ts';
import { onBlocked, play } from '../../shared/presence/sound.ts';
import { setBadge } from '../../shared/presence/title.ts';
import { go } from '../../shared/router.ts';
import * as app from './app.ts';
import * as inbox from './inbox.ts';
import * as thread from './thread.ts';

/** The browser keeps the bell silent until a first click or key. */
export const blocked = signal(false);
export const sound = signal(app.pref('sound') !== 'off');

export function setSound(on: boolean): void {
  sound.value = on;
  app.setPref('sound', on ? 'on' : 'off');
  if (on) play('message');
}

/** m: a message, or null for a conversation that became mine or queued. */
export function onNews(id: string, m: Message | null): void {
  if (m && m.sender.role !== 'visitor') return;
  const c = inbox.convs.get(id);
  const mine = c?.assignee === app.me.value?.id;
  if (m && !mine) return;
  if (app.status.value === 'offline') return;
  // Old news replayed after a resume does not ring.
  if (m && Date.now() - m.at > 60_000) return;
  if (isLooking() && thread.openId.value === id) return;
  const kind = m ? 'message' : 'queue';
  void claim(m ? m.id : id + (mine ? '.mine' : '.queue')).then((won) => {
    if (!won) return;
    if (sound.value) play(kind);
    if (isLooking()) return;
    const name = inbox.nameOf(c);
    notice({ tag: m ? m.id : id, title: name, body: m?.text ?? m?.file?.name ?? t(mine ? 'alert.mine' : 'alert.queue'), onClick: () => go('/c/' + id) });
  });
}

export function startAlerts(): void {
  onBlocked((b) => (blocked.value = b));
  effect(() => setBadge(inbox.counts.value.unread));
}

// SPDX-License-Identifier: Apache-2.0
// Taking back what one said: for two minutes, where its platform can.
import type { Conversation, Message } from '../../sdk/types.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { t } from '../../shared/i18n.ts';
import type { BubbleRow } from '../../shared/message/rows.ts';
import * as app from '../stores/app.ts';
import { deliveryOf, type Delivery } from '../stores/delivery.ts';
import * as thread from '../stores/thread.ts';
import { toast, toastError } from '../stores/toast.ts';
import { now } from './clock.ts';

/** Own words; a bot's are for who holds the conversation, or leads. */
function isTheirs(c: Conversation, m: Message): boolean {
  const me = app.me.value!;
  if (m.sender.role === 'agent') return m.sender.id === me.id;
  return m.sender.role === 'bot' && (me.role !== 'agent' || c.assignee === me.id);
}

/** "" = it can be. */
function whyNot(c: Conversation, m: Message, told?: Delivery): string {
  const waits = told && (told.status === 'waiting' || told.status === 'failed');
  if (m.private || waits || app.channels.value.get(c.channel)?.recalls !== false) return '';
  return t('recall.cannot', { channel: app.channelName(c.channel, c.channel_type) });
}

export function Recall({ c, row }: { c: Conversation; row: BubbleRow }) {
  const { m } = row;
  const told = deliveryOf(c.id, m.seq);
  const till = m.at + (app.client?.session.limits.recall_ms ?? 0);
  if (m.recalled || !isTheirs(c, m) || now.value >= till) return null;
  const no = whyNot(c, m, told);
  const label = t('recall.of', { text: (m.text ?? t(`list.kind.${m.kind}`)).slice(0, 40) });
  return (
    <button class="icon-btn why recall" title={no || t('recall.do')} aria-label={no ? label + ' – ' + no : label} aria-disabled={no !== ''} onClick={() => (no ? toast(no) : void thread.recall(c.id, m.id).catch(toastError))}>
      <Icon d={I.undo} size={16} />
    </button>
  );
}

/** Below what was taken back: did its platform follow? */
export function RecallTrouble({ c, row }: { c: Conversation; row: BubbleRow }) {
  const told = deliveryOf(c.id, row.m.seq);
  return row.m.recalled && told?.stays ? <div class="msg-failed">{t('recall.stays', { why: told.stays })}</div> : null;
}

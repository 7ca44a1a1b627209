// SPDX-License-Identifier: Apache-2.0
// While a bot holds a conversation: who answers, stop, take over. And what a
// bot left behind: why it handed over, its summary, the words before a
// translation.
import { useSignal } from '@preact/signals';
import type { Confirmation } from '../../sdk/house.ts';
import type { Conversation, Message } from '../../sdk/types.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { clock, fullTime, t } from '../../shared/i18n.ts';
import type { BubbleRow } from '../../shared/message/rows.ts';
import * as app from '../stores/app.ts';
import { reasonText } from '../stores/copilot.ts';
import * as lookon from '../stores/lookon.ts';
import * as thread from '../stores/thread.ts';
import { Do } from './house.tsx';

const STATES: Record<string, string> = { approved: 'ok', done: 'ok', denied: 'bad' };

/** A tool with what it is about to do: an agent's word, or the visitor's. */
function Confirm({ x }: { x: Confirmation }) {
  const facts = Object.entries(x.call.arguments ?? {});
  return (
    <section class="confirm" aria-label={t('tool.label', { tool: x.tool })}>
      <p>
        <b class="mono">{x.tool}</b>
        <span class={'chip ' + (STATES[x.state] ?? 'warn')}>{t('tool.state.' + (x.state === 'pending' ? x.by : x.state))}</span>
      </p>
      {x.question && <p>{x.question}</p>}
      {facts.length > 0 && (
        <dl>
          {facts.map(([k, v]) => (
            <div key={k}>
              <dt>{k}</dt>
              <dd>{typeof v === 'string' ? v : JSON.stringify(v)}</dd>
            </div>
          ))}
        </dl>
      )}
      {x.state === 'pending' && x.by === 'agent' && (
        <p class="confirm-do">
          <Do class="btn small primary" run={() => lookon.decide(x, true)}>
            {t('tool.approve')}
          </Do>
          <Do class="btn small" run={() => lookon.decide(x, false)}>
            {t('tool.deny')}
          </Do>
          <span class="soft num">{t('tool.until', { at: clock(x.expires_at) })}</span>
        </p>
      )}
    </section>
  );
}

export function Confirms() {
  const open = lookon.waiting.value.filter((x) => x.state === 'pending');
  if (open.length === 0) return null;
  return (
    <div class="confirms" role="status">
      {open.map((x) => (
        <Confirm key={x.id} x={x} />
      ))}
    </div>
  );
}

export function BotBar({ c }: { c: Conversation }) {
  thread.threadTick.value;
  if (c.state !== 'bot') return null;
  const answering = !!c.assistant && thread.answering(c.id);
  const name = c.assistant || t('role.bot');
  return (
    <div class="bot-bar">
      <Icon d={I.bot} size={18} />
      <span class="grow">{t(answering ? 'bot.answering' : 'bot.holds', { name })}</span>
      {answering && (
        <Do class="btn small" icon={I.stop} run={() => thread.stopBot(c.id)}>
          {t('bot.stop')}
        </Do>
      )}
      <button class="btn small primary" onClick={() => void thread.takeIt()}>
        {t('bot.take')}
      </button>
    </div>
  );
}

/** What the system says to agents alone; null: draw it as ever. */
export function systemRow(m: Message) {
  if (!m.private || (m.sender.role !== 'system' && !m.summary)) return null;
  const handover = m.handover !== undefined;
  const text = m.text ?? '';
  return (
    <div class="pill-row">
      <div class={'left-behind' + (handover ? ' handover' : '')} title={fullTime(m.at)}>
        <b>
          <Icon d={handover ? I.transfer : I.note} size={14} />
          {t(handover ? 'handover.title' : m.summary ? 'handover.summary' : 'msg.note')}
        </b>
        <span>{handover ? reasonText(m.handover || text) : text}</span>
      </div>
    </div>
  );
}

/** Below a message that was translated: what was really said. */
export function Original({ row }: { row: BubbleRow }) {
  const open = useSignal(false);
  const m = row.m;
  if (!m.original || m.original === m.text) return null;
  return (
    <div class="original">
      <button class="link" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
        <Icon d={I.globe} size={12} />
        {t(open.value ? 'original.hide' : 'original.show')}
        {m.language && <span class="chip">{languageName(m.language)}</span>}
      </button>
      {open.value && <p lang={m.language}>{m.original}</p>}
    </div>
  );
}

function languageName(code: string): string {
  try {
    return new Intl.DisplayNames([document.documentElement.lang], { type: 'language' }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** Back to the one that held it; without one, the transfer dialog has them. */
export function HandBack({ c }: { c: Conversation }) {
  if (!c.assistant || c.state !== 'open' || c.assignee !== app.me.value?.id) return null;
  const title = t('bot.back', { name: c.assistant });
  return (
    <button class="btn opt" title={title} onClick={() => void thread.handBack(c.assistant!)}>
      <Icon d={I.bot} size={18} />
      <span>{t('bot.backShort')}</span>
    </button>
  );
}

// SPDX-License-Identifier: Apache-2.0
// To a colleague with status and load, or back to the queue; with a note.
import { signal, useSignal } from '@preact/signals';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { t } from '../../shared/i18n.ts';
import { Avatar } from '../../shared/kit/avatar.tsx';
import { Dialog } from '../../shared/kit/dialog.tsx';
import * as app from '../stores/app.ts';
import { bots } from '../stores/copilot.ts';
import * as thread from '../stores/thread.ts';
import type { AgentStatus } from '../../sdk/types.ts';

export const transferOpen = signal(false);
const ORDER: AgentStatus[] = ['online', 'busy', 'away', 'offline'];
const QUEUE = 'queue';
const BOT = 'bot ';

export function Transfer() {
  const pick = useSignal('');
  const note = useSignal('');
  const busy = useSignal(false);
  const people = Array.from(app.agents.value.values())
    .filter((a) => a.id !== app.me.value?.id)
    .sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status) || a.name.localeCompare(b.name));
  const close = () => (transferOpen.value = false);
  const submit = async () => {
    if (!pick.value || busy.value) return;
    busy.value = true;
    const bot = pick.value.startsWith(BOT) ? pick.value.slice(BOT.length) : '';
    const to = pick.value === QUEUE ? { queue: true as const } : bot ? { assistant: bot } : { agent: pick.value };
    const done = await thread.transfer({ ...to, note: note.value.trim() || undefined });
    busy.value = false;
    if (done) close();
  };
  const option = (value: string, inner: preact.ComponentChildren) => (
    <label key={value} class={'pick' + (pick.value === value ? ' on' : '')}>
      <input type="radio" name="to" value={value} checked={pick.value === value} onChange={() => (pick.value = value)} />
      {inner}
    </label>
  );
  return (
    <Dialog
      title={t('transfer.title')}
      onClose={close}
      foot={
        <>
          <button class="btn" onClick={close}>
            {t('cancel')}
          </button>
          <button class="btn primary" disabled={!pick.value || busy.value} onClick={() => void submit()}>
            {t('transfer.do')}
          </button>
        </>
      }
    >
      <fieldset class="picks">
        <legend class="sr">{t('transfer.to')}</legend>
        {option(
          QUEUE,
          <>
            <span class="pick-icon">
              <Icon d={I.inbox} size={18} />
            </span>
            <span class="cut grow">{t('transfer.queue')}</span>
          </>,
        )}
        {bots.value.map((name) =>
          option(
            BOT + name,
            <>
              <span class="pick-icon">
                <Icon d={I.bot} size={18} />
              </span>
              <span class="cut grow">{name}</span>
              <span class="pick-status">{t('role.bot')}</span>
            </>,
          ),
        )}
        {people.map((a) =>
          option(
            a.id,
            <>
              <Avatar id={a.id} name={a.name} size={32} />
              <span class="cut grow">{a.name}</span>
              {a.max_load !== undefined && a.load !== undefined && (
                <span class="num pick-load">
                  {a.load}/{a.max_load}
                </span>
              )}
              <span class="pick-status">
                <i class={'dot ' + a.status} />
                {t('status.' + a.status)}
              </span>
            </>,
          ),
        )}
      </fieldset>
      {people.length === 0 && <p class="pick-none">{t('transfer.alone')}</p>}
      <label class="pick-note" for="transfer-note">
        {t('transfer.note')}
      </label>
      <textarea id="transfer-note" class="input" rows={2} maxLength={1000} value={note.value} onInput={(e) => (note.value = e.currentTarget.value)} />
    </Dialog>
  );
}

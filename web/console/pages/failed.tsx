// SPDX-License-Identifier: Apache-2.0
// What did not work out: letters that no script could handle, and messages
// that a platform did not take. Run again, send again, or drop.
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { DeadLetter, OutboxRow } from '../../sdk/house.ts';
import * as I from '../../shared/icons.tsx';
import { t } from '../../shared/i18n.ts';
import { Empty, Tabs } from '../../shared/kit/bits.tsx';
import { go, path } from '../../shared/router.ts';
import { confirm } from '../parts/confirm.tsx';
import { At, Do, Head, Link, Listed, word } from '../parts/house.tsx';
import * as app from '../stores/app.ts';
import { letters } from '../stores/health.ts';
import { may, Paged } from '../stores/paged.ts';
import { textAt, textOf } from '../stores/texts.ts';
import { explain, toast } from '../stores/toast.ts';

const EVERY_MS = 5_000;
const AT_ONCE = 4;
const dead = new Paged<DeadLetter>('/dead-letters');
const unsent = new Paged<OutboxRow>('/outbox', () => ({ state: 'dead' }));
const picked = signal<Set<string>>(new Set());

function pick(id: string, on: boolean): void {
  const next = new Set(picked.value);
  if (on) next.add(id);
  else next.delete(id);
  picked.value = next;
}

/** The order for each of them; how many did it, and the first reason. */
async function each(ids: string[], order: (id: string) => Promise<unknown>): Promise<{ done: string[]; failed: number; why: unknown }> {
  const left = ids.slice();
  const result = { done: [] as string[], failed: 0, why: null as unknown };
  const worker = async () => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      try {
        await order(id);
        result.done.push(id);
      } catch (e) {
        result.failed++;
        result.why ??= e;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return result;
}

async function forAll(list: Paged<{ id: string }>, ids: string[], order: (id: string) => Promise<unknown>, done: string): Promise<void> {
  const r = await each(ids, order);
  const gone = new Set(r.done);
  list.drop((x) => gone.has(x.id));
  picked.value = new Set([...picked.value].filter((id) => !gone.has(id)));
  if (r.done.length > 0) toast(t(done, { n: r.done.length }));
  if (r.failed > 0) toast(t('failed.some', { n: r.failed, why: explain(r.why) }), { bad: true });
  await list.load();
}

const run = (ids: string[]) => forAll(dead, ids, (id) => app.rest.post(`/dead-letters/${id}/run`), 'failed.ran');
const resend = (ids: string[]) => forAll(unsent, ids, (id) => app.rest.post(`/outbox/${id}/resend`), 'failed.resent');

async function drop(ids: string[]): Promise<void> {
  const yes = await confirm({ title: t('failed.dropAsk', { n: ids.length }), text: t('failed.dropText'), go: t('failed.drop'), danger: true });
  if (yes) await forAll(dead, ids, (id) => app.rest.delete('/dead-letters/' + id), 'failed.dropped');
}

function Words({ text }: { text: string | undefined | null }) {
  return <p class="letter-text">{text === undefined ? <i class="skeleton line-skel" /> : text === null ? <em>{t('failed.noText')}</em> : text}</p>;
}

function Check({ id, label }: { id: string; label: string }) {
  return (
    <label class="letter-pick">
      <input type="checkbox" checked={picked.value.has(id)} onChange={(e) => pick(id, e.currentTarget.checked)} aria-label={label} />
    </label>
  );
}

function textOfLetter(d: DeadLetter): string | null | undefined {
  if (!d.message) return d.data?.name ?? null;
  const m = textOf(d.message);
  return m ? m.text ?? `[${m.kind}]` : m;
}

function Letter({ d }: { d: DeadLetter }) {
  const text = textOfLetter(d);
  return (
    <li class="letter">
      <Check id={d.id} label={t('failed.pick', { what: text ?? d.id })} />
      <div class="letter-in">
        <p class="letter-head">
          <b>{word('hook', d.hook)}</b>
          {d.script && <Link to={'/scripts/' + d.script} class="mono">{d.script}</Link>}
          {d.data?.flow && <Link to={'/flows/' + d.data.flow}>{t('failed.flow')}</Link>}
          {d.conversation && <Link to={'/c/' + d.conversation}>{t('flows.toConversation')}</Link>}
          <span class="grow" />
          {d.runs > 0 && <span class="chip num">{t('failed.runs', { n: d.runs })}</span>}
          <At at={d.created_at} />
        </p>
        {(d.message || text) && <Words text={text} />}
        <p class="letter-why">{d.reason}</p>
        <p class="letter-do">
          <Do class="btn small" run={() => run([d.id])}>
            {t('failed.run')}
          </Do>
          <Do class="btn small" run={() => drop([d.id])}>
            {t('failed.drop')}
          </Do>
        </p>
      </div>
    </li>
  );
}

function Unsent({ o }: { o: OutboxRow }) {
  const m = textAt(o.message, o.conversation, o.seq);
  const text = m ? m.text ?? `[${m.kind}]` : m;
  return (
    <li class="letter">
      <Check id={o.id} label={t('failed.pick', { what: text ?? o.id })} />
      <div class="letter-in">
        <p class="letter-head">
          <b>{app.channels.value.get(o.channel)?.name ?? o.channel}</b>
          <span class="soft">{t('failed.to', { to: o.to })}</span>
          <Link to={'/c/' + o.conversation}>{t('flows.toConversation')}</Link>
          <span class="grow" />
          {o.attempts > 1 && <span class="chip num">{t('flows.attempts', { n: o.attempts })}</span>}
          <At at={o.updated_at} />
        </p>
        <Words text={text} />
        <p class="letter-why">{o.reason}</p>
        <p class="letter-do">
          <Do class="btn small" run={() => resend([o.id])}>
            {t('failed.resend')}
          </Do>
        </p>
      </div>
    </li>
  );
}

/** Everything with one box, and what can be done with what is picked. */
function Bar<T extends { id: string }>(p: { of: Paged<T>; runLabel: string; run: (ids: string[]) => Promise<void>; drop?: (ids: string[]) => Promise<void> }) {
  const ids = (p.of.items.value ?? []).map((x) => x.id);
  const chosen = ids.filter((id) => picked.value.has(id));
  if (ids.length === 0) return null;
  const target = chosen.length > 0 ? chosen : ids;
  const all = chosen.length === ids.length;
  const again = async () => {
    if (chosen.length === 0 && ids.length > 1 && !(await confirm({ title: p.runLabel, text: t('failed.allAsk', { n: ids.length }), go: p.runLabel }))) return;
    await p.run(target);
  };
  return (
    <div class="pick-bar">
      <label class="sw">
        <input type="checkbox" checked={all} onChange={() => (picked.value = all ? new Set() : new Set(ids))} />
        <span class="num">{chosen.length > 0 ? t('failed.picked', { n: chosen.length }) : t('failed.pickAll')}</span>
      </label>
      <span class="grow" />
      <Do class="btn" run={again} icon={I.retry}>
        {p.runLabel}
        <span class="num">{` (${target.length})`}</span>
      </Do>
      {p.drop && (
        <Do class="btn" run={() => p.drop!(target)} disabled={chosen.length === 0} icon={I.trash}>
          {t('failed.drop')}
        </Do>
      )}
    </div>
  );
}

export function FailedPage() {
  const tab = path.value.startsWith('/failed/unsent') ? 'unsent' : 'dead';
  useEffect(() => {
    picked.value = new Set();
    if (may('supervisor')) void (tab === 'dead' ? unsent : dead).load(); // its number stands on the other tab
  }, [tab]);
  useEffect(() => {
    if (dead.items.value || unsent.items.value) letters.value = dead.total.value + unsent.total.value;
  });
  if (!may('supervisor')) {
    return (
      <main class="page">
        <Head title={t('failed.title')} />
        <Empty icon={I.alert} title={t('house.noRight')} text={t('house.noRightText')} />
      </main>
    );
  }
  return (
    <main class="page">
      <Head title={t('failed.title')} text={t('failed.text')} />
      <Tabs
        class="page-tabs"
        label={t('failed.title')}
        tabs={[
          { key: 'dead', label: t('failed.letters'), count: dead.total.value },
          { key: 'unsent', label: t('failed.unsent'), count: unsent.total.value },
        ]}
        value={tab}
        onChange={(k) => go(k === 'dead' ? '/failed' : '/failed/unsent', true)}
      />
      {tab === 'dead' ? (
        <>
          <Bar of={dead} runLabel={t('failed.run')} run={run} drop={drop} />
          <Listed key="dead" of={dead} every={EVERY_MS} icon={I.done} label={t('failed.letters')} none={t('failed.noLetters')} noneText={t('failed.noLettersText')}>
            {(items) => items.map((d) => <Letter key={d.id} d={d} />)}
          </Listed>
        </>
      ) : (
        <>
          <Bar of={unsent} runLabel={t('failed.resend')} run={resend} />
          <Listed key="unsent" of={unsent} every={EVERY_MS} icon={I.done} label={t('failed.unsent')} none={t('failed.noUnsent')} noneText={t('failed.noUnsentText')}>
            {(items) => items.map((o) => <Unsent key={o.id} o={o} />)}
          </Listed>
        </>
      )}
    </main>
  );
}

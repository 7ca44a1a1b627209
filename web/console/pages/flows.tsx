// SPDX-License-Identifier: Apache-2.0
// Runs of flows: the list with its filters, and one with all its steps.
import { signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { Flow, FlowLog, FlowState, SagaStep } from '../../sdk/house.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { clock, fullTime, shortTime, t } from '../../shared/i18n.ts';
import { Empty, Failed } from '../../shared/kit/bits.tsx';
import { path } from '../../shared/router.ts';
import { confirm } from '../parts/confirm.tsx';
import { At, Do, Facts, Head, Link, Listed, Skeleton, Stale, word } from '../parts/house.tsx';
import * as app from '../stores/app.ts';
import { failedStep, gaveOf, isOver, waitsFor } from '../stores/flowtext.ts';
import * as health from '../stores/health.ts';
import { may, One, Paged, watch } from '../stores/paged.ts';
import { explain, toast } from '../stores/toast.ts';

const EVERY_MS = 3_000;
const STATES: FlowState[] = ['ready', 'waiting', 'sleeping', 'done', 'failed', 'cancelled'];
const state = signal('');
const script = signal('');
const conversation = signal('');
const list = new Paged<Flow>('/flows', () => ({ state: state.value, script: script.value, conversation: conversation.value }));

const COLOUR: Record<string, string> = { done: 'ok', failed: 'bad', cancelled: 'off', ready: 'info', waiting: 'warn', sleeping: 'off' };

function StateChip({ of }: { of: string }) {
  return <span class={'chip ' + (COLOUR[of] ?? '')}>{word('flows.state', of)}</span>;
}

function Item({ f }: { f: Flow }) {
  const saga = f.view?.saga;
  return (
    <li class="row-item">
      <Link to={'/flows/' + f.id} class="row">
        <span class="row-main">
          <span class="row-title mono">{f.script.replace(/^flows\//, '')}</span>
          <StateChip of={f.state} />
          {saga && <span class={'chip ' + (saga.state === 'stuck' ? 'bad' : '')}>{t('flows.sagaChip', { state: word('saga', saga.state) })}</span>}
        </span>
        <span class={'row-text cut' + (f.error ? ' bad' : '')}>{f.error ?? waitsFor(f)}</span>
        <span class="row-facts num">
          <span>{t('flows.steps', { n: f.step })}</span>
          {!isOver(f) && f.due_at ? <span title={fullTime(f.due_at)}>{t('flows.due', { at: clock(f.due_at) })}</span> : null}
          <At at={f.updated_at} />
        </span>
      </Link>
    </li>
  );
}

function Filters() {
  const names = (health.scripts.value ?? []).map((s) => s.name).filter((n) => n.startsWith('flows/'));
  if (script.value && !names.includes(script.value)) names.push(script.value);
  const change = (to: { value: string }, v: string) => {
    to.value = v;
    void list.reset();
  };
  return (
    <form class="filters" onSubmit={(e) => e.preventDefault()} aria-label={t('flows.filters')}>
      <label>
        <span>{t('flows.byState')}</span>
        <select class="input" value={state.value} onChange={(e) => change(state, e.currentTarget.value)}>
          <option value="">{t('flows.anyState')}</option>
          {STATES.map((s) => (
            <option key={s} value={s}>
              {t('flows.state.' + s)}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>{t('flows.byScript')}</span>
        <select class="input" value={script.value} onChange={(e) => change(script, e.currentTarget.value)}>
          <option value="">{t('flows.anyScript')}</option>
          {names.map((n) => (
            <option key={n} value={n}>
              {n.replace(/^flows\//, '')}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>{t('flows.byConversation')}</span>
        <input
          class="input mono"
          type="search"
          placeholder="cv_…"
          spellcheck={false}
          autocapitalize="off"
          value={conversation.value}
          onChange={(e) => change(conversation, e.currentTarget.value.trim())}
          onKeyDown={(e) => {
            if (e.key === 'Enter' && !e.isComposing) change(conversation, e.currentTarget.value.trim());
          }}
        />
      </label>
    </form>
  );
}

function List() {
  const filtered = state.value || script.value || conversation.value;
  return (
    <main class="page">
      <Head title={t('flows.title')} text={t('flows.text')} />
      <Filters />
      <Listed
        of={list}
        every={EVERY_MS}
        icon={I.flow}
        label={t('flows.title')}
        none={t(filtered ? 'flows.noHit' : 'flows.none')}
        noneText={t(filtered ? 'flows.noHitText' : 'flows.noneText')}
      >
        {(items) => items.map((f) => <Item key={f.id} f={f} />)}
      </Listed>
    </main>
  );
}

// --- one -----------------------------------------------------------------------

const SAGA_ICON: Record<string, string> = { done: I.check, failed: I.alert, undone: I.undo, undoing: I.retry, running: I.retry, waiting: I.clock };

function Saga({ f }: { f: Flow }) {
  const saga = f.view?.saga;
  if (!saga) return null;
  const colour = (s: SagaStep) => (s.state === 'done' ? 'ok' : s.state === 'failed' ? 'bad' : s.state === 'waiting' ? 'off' : 'warn');
  return (
    <section class="card" aria-label={t('flows.saga')}>
      <div class="card-head">
        <h2>{t('flows.sagaOf', { name: saga.name })}</h2>
        <span class={'chip ' + (saga.state === 'done' ? 'ok' : saga.state === 'stuck' ? 'bad' : saga.state === 'running' ? 'info' : 'warn')}>{word('saga', saga.state)}</span>
      </div>
      <ol class="saga">
        {saga.steps.map((s) => (
          <li key={s.name} class={colour(s)}>
            <span class="saga-mark">
              <Icon d={SAGA_ICON[s.state] ?? I.clock} size={16} />
            </span>
            <span class="saga-text">
              <b>{s.name}</b>
              <span>{word('saga.step', s.state)}</span>
              {s.attempts > 0 && <span class="num">{t('flows.attempts', { n: s.attempts })}</span>}
              {s.error && <span class="bad">{s.error}</span>}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function seconds(at: number): string {
  return (Date.now() - at > 86_400_000 ? shortTime(at) + ' ' : '') + clock(at) + ':' + String(new Date(at).getSeconds()).padStart(2, '0');
}

function Step({ e }: { e: FlowLog }) {
  const gave = gaveOf(e);
  const bad = failedStep(e);
  const open = e.v === undefined;
  return (
    <li class={bad ? 'bad' : open ? 'warn' : ''}>
      <span class="tl-when num">{e.at ? <time title={fullTime(e.at)}>{seconds(e.at)}</time> : open ? '…' : ''}</span>
      <div class="tl-what">
        <p>
          <b>{word('flows.log', e.k)}</b>
          {e.n && <span class={e.k === 'reply' ? '' : 'mono'}>{e.n}</span>}
          {open && e.due ? <span class="num soft">{t('flows.until', { at: fullTime(e.due) })}</span> : null}
          {!!e.t && <span class="chip">{t('flows.tries', { n: e.t })}</span>}
        </p>
        {gave && (e.k === 'reply' ? <p class="said">{gave}</p> : <pre class={'gave' + (bad ? ' bad' : '')}>{gave}</pre>)}
      </div>
    </li>
  );
}

function FlowPage({ id }: { id: string }) {
  const one = useMemo(() => new One<Flow>(), [id]);
  one.open('/flows/' + encodeURIComponent(id));
  useEffect(() => watch(() => void one.load(), EVERY_MS), [one]);
  const f = one.value.value;
  const failed = one.failed.value;
  const back = { to: '/flows', label: t('flows.title') };
  if (!f) {
    const gone = [400, 404].includes((failed as { status?: number } | null)?.status ?? 0);
    return (
      <main class="page">
        <Head title={id} mono back={back} />
        {gone ? <Empty icon={I.flow} title={t('flows.gone')} text={t('flows.goneText')} /> : failed ? <Failed error={explain(failed)} onRetry={() => void one.load()} /> : <Skeleton />}
      </main>
    );
  }
  const cancel = async () => {
    if (!(await confirm({ title: t('flows.cancelAsk'), text: t('flows.cancelText', { name: f.script }), go: t('flows.cancel'), danger: true }))) return;
    one.put({ ...(await app.rest.post<Flow>(`/flows/${f.id}/cancel`)), log: f.log });
    toast(t('flows.cancelled'));
    void one.load();
  };
  const waits = waitsFor(f);
  return (
    <main class="page">
      <Head title={f.script} mono back={back}>
        <StateChip of={f.state} />
        {f.conversation && (
          <Link to={'/c/' + f.conversation} class="btn">
            {t('flows.toConversation')}
          </Link>
        )}
        {!isOver(f) && may('supervisor') && <Do run={cancel}>{t('flows.cancel')}</Do>}
      </Head>
      {!!failed && <Stale onRetry={() => void one.load()} />}
      {f.error && (
        <p class="note-line bad" role="status">
          <Icon d={I.alert} size={16} />
          <span>{f.error}</span>
        </p>
      )}
      {waits && (
        <p class="note-line info" role="status">
          <Icon d={I.clock} size={16} />
          <span>
            {waits}
            {f.due_at ? ' · ' + t('flows.until', { at: fullTime(f.due_at) }) : ''}
          </span>
        </p>
      )}
      <section class="card" aria-label={t('flows.facts')}>
        <h2>{t('flows.facts')}</h2>
        <Facts
          items={[
            [t('flows.id'), <code>{f.id}</code>],
            [t('facts.version'), <code>{f.version}</code>],
            [t('flows.began'), fullTime(f.created_at)],
            [t('flows.changed'), fullTime(f.updated_at)],
            [t('flows.failedRuns'), String(f.attempts)],
            ...(f.view?.state ? [[t('flows.inState'), <code>{f.view.state}</code>] as [string, preact.ComponentChildren]] : []),
          ]}
        />
        {f.args !== null && f.args !== undefined && (
          <>
            <h3>{t('flows.args')}</h3>
            <pre class="gave">{JSON.stringify(f.args, null, 1)}</pre>
          </>
        )}
      </section>
      <Saga f={f} />
      <section class="card flush" aria-label={t('flows.logTitle')}>
        <h2>{t('flows.logTitle')}</h2>
        {(f.log ?? []).length === 0 ? (
          <p class="card-text">{t('flows.logNone')}</p>
        ) : (
          <ol class="timeline">
            {f.log!.map((e, i) => (
              <Step key={i} e={e} />
            ))}
          </ol>
        )}
      </section>
    </main>
  );
}

export function FlowsPage() {
  const id = decodeURIComponent(path.value.replace(/^\/flows\/?/, ''));
  return id ? <FlowPage key={id} id={id} /> : <List />;
}

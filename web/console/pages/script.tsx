// SPDX-License-Identifier: Apache-2.0
// One script: how it does, what is tried, what went wrong, its versions.
import { useEffect, useMemo } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import type { CanarySide, ScriptVersion } from '../../sdk/house.ts';
import type { Script, ScriptError } from '../../sdk/types.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { fullTime, t } from '../../shared/i18n.ts';
import { Empty, Failed } from '../../shared/kit/bits.tsx';
import { confirm } from '../parts/confirm.tsx';
import { At, bytes, count, Do, Facts, Head, micros, percent, Skeleton, Stale, word } from '../parts/house.tsx';
import { Source, type Shown } from '../parts/source.tsx';
import * as app from '../stores/app.ts';
import { leaning } from '../stores/canary.ts';
import * as health from '../stores/health.ts';
import { may, One, Paged, watch } from '../stores/paged.ts';
import { explain, toast } from '../stores/toast.ts';
import { StateMark } from './scripts.tsx';

const EVERY_MS = 3_000;

type Order = 'reload' | 'rollback' | 'promote' | 'abort' | 'enable' | 'disable';

function useScript(name: string) {
  const one = useMemo(() => new One<Script>(), [name]);
  const versions = useMemo(() => new Paged<ScriptVersion>(health.scriptPath(name) + '/versions'), [name]);
  one.open(health.scriptPath(name));
  useEffect(
    () =>
      watch(() => {
        void one.load();
        void versions.load();
      }, EVERY_MS),
    [one],
  );
  const order = async (what: Order, body: object = {}) => {
    one.put(await app.rest.post<Script>(`${health.scriptPath(name)}/${what}`, body));
    toast(t('scripts.did.' + what, { name }));
    void versions.load();
    void health.askScripts();
  };
  return { one, versions, order };
}

export function ScriptPage({ name }: { name: string }) {
  const { one, versions, order } = useScript(name);
  const shown = useSignal<Shown | null>(null);
  const s = one.value.value;
  const failed = one.failed.value;
  const back = { to: '/scripts', label: t('scripts.title') };
  const toVersion = async (version?: string) => {
    const yes = await confirm({ title: t('scripts.ask.rollback'), text: t('scripts.ask.rollbackText', { name, version: version ?? t('scripts.before') }), go: t('scripts.do.rollback') });
    if (yes) await order('rollback', version ? { version } : {});
  };
  if (!s) {
    const gone = (failed as { status?: number } | null)?.status === 404;
    return (
      <main class="page">
        <Head title={name} mono back={back} />
        {gone ? <Empty icon={I.code} title={t('scripts.gone')} text={t('scripts.goneText')} /> : failed ? <Failed error={explain(failed)} onRetry={() => void one.load()} /> : <Skeleton />}
      </main>
    );
  }
  return (
    <main class="page">
      <Head title={s.name} mono back={back}>
        <StateMark s={s} />
        {may('supervisor') && <Orders s={s} order={order} earlier={() => toVersion()} can={(versions.items.value ?? []).some((v) => v.state === 'old' || v.state === 'pinned')} />}
      </Head>
      {!!failed && <Stale onRetry={() => void one.load()} />}
      {s.note && (
        <p class="note-line info">
          <Icon d={I.info} size={16} />
          <span>{s.note}</span>
        </p>
      )}
      <Errors s={s} />
      {s.canary && <Trial s={s} order={order} onDiff={() => (shown.value = { script: name, version: s.canary!.version, against: s.version as string })} />}
      <Figures s={s} />
      <History s={s} versions={versions} show={(x) => (shown.value = { script: name, ...x })} serve={toVersion} />
      {shown.value && <Source key={shown.value.version} of={shown.value} onClose={() => (shown.value = null)} />}
    </main>
  );
}

function Orders(p: { s: Script; order: (o: Order) => Promise<void>; earlier: () => Promise<void>; can: boolean }) {
  const { s } = p;
  const asleep = s.state === 'off' || s.state === 'failing' || s.state === 'quarantined';
  const off = async () => {
    if (await confirm({ title: t('scripts.ask.disable'), text: t('scripts.ask.disableText', { name: s.name }), go: t('scripts.do.disable'), danger: true })) await p.order('disable');
  };
  return (
    <>
      <Do run={() => p.order('reload')} icon={I.retry}>
        {t('scripts.do.reload')}
      </Do>
      <Do run={p.earlier} disabled={!p.can}>
        {t('scripts.do.rollback')}
      </Do>
      {asleep ? (
        <Do class="btn primary" run={() => p.order('enable')}>
          {t('scripts.do.enable')}
        </Do>
      ) : (
        <Do run={off}>{t('scripts.do.disable')}</Do>
      )}
    </>
  );
}

// --- the one that is tried ----------------------------------------------------

function Trial(p: { s: Script; order: (o: Order) => Promise<void>; onDiff: () => void }) {
  const c = p.s.canary!;
  const lean = leaning(c.stable, c.canary, c.conversations);
  const ask = async (what: 'promote' | 'abort') => {
    if (await confirm({ title: t('scripts.ask.' + what), text: t(`scripts.ask.${what}Text`, { name: p.s.name, version: c.version }), go: t('scripts.do.' + what), danger: what === 'abort' })) await p.order(what);
  };
  const rows: [string, (x: CanarySide) => string][] = [
    [t('canary.conversations'), (x) => count(x.conversations)],
    [t('canary.calls'), (x) => count(x.calls)],
    [t('canary.errors'), (x) => `${count(x.errors)} (${percent(x.errors, x.calls)})`],
    [t('canary.kills'), (x) => count(x.kills)],
    [t('canary.time'), (x) => (x.calls ? micros(x.us / x.calls) : '–')],
    [t('canary.handovers'), (x) => `${count(x.handovers)} (${percent(x.handovers, x.conversations)})`],
  ];
  return (
    <section class="card trial" aria-label={t('canary.title')}>
      <div class="card-head">
        <h2>{t('canary.title')}</h2>
        <span class={'chip ' + (lean === 'worse' ? 'bad' : lean === 'good' ? 'ok' : '')}>{t('canary.' + lean)}</span>
        <span class="grow" />
        <button class="btn" onClick={p.onDiff}>
          {t('versions.diff')}
        </button>
        {may('supervisor') && (
          <>
            <Do run={() => ask('abort')}>{t('scripts.do.abort')}</Do>
            <Do class="btn primary" run={() => ask('promote')}>
              {t('scripts.do.promote')}
            </Do>
          </>
        )}
      </div>
      <p class="card-text num">{t('canary.text', { share: c.share, n: c.canary.conversations, of: c.conversations, since: fullTime(c.since_at) })}</p>
      <progress class="bar" max={c.conversations} value={Math.min(c.canary.conversations, c.conversations)} aria-label={t('canary.progress')} />
      <div class="table-box">
        <table class="table num">
          <caption class="sr">{t('canary.title')}</caption>
          <thead>
            <tr>
              <td />
              <th scope="col">
                {t('canary.stable')} <code>{String(p.s.version ?? '')}</code>
              </th>
              <th scope="col">
                {t('canary.tried')} <code>{c.version}</code>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(([label, of]) => (
              <tr key={label}>
                <th scope="row">{label}</th>
                <td>{of(c.stable)}</td>
                <td>{of(c.canary)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

// --- figures, errors ------------------------------------------------------------

function Figures({ s }: { s: Script }) {
  const l = s.limits;
  return (
    <section class="card" aria-label={t('scripts.figures')}>
      <h2>{t('scripts.figures')}</h2>
      <Facts
        items={[
          [t('facts.calls'), count(s.calls ?? 0)],
          [t('facts.failures'), count(s.failures ?? 0)],
          [t('facts.kills'), count(s.kills ?? 0)],
          [t('facts.cpuEach'), s.calls ? micros((s.cpu_us ?? 0) / s.calls) : '–'],
          [t('facts.cpu'), micros(s.cpu_us ?? 0)],
          [t('facts.memory'), bytes(s.memory_bytes ?? 0)],
          [t('facts.inFlight'), count(s.in_flight ?? 0)],
          [t('facts.priority'), count(s.priority ?? 0)],
          [t('facts.version'), <code>{String(s.version ?? '–')}</code>],
          [t('facts.loaded'), s.loaded_at ? fullTime(s.loaded_at) : '–'],
        ]}
      />
      {l && (
        <>
          <h3>{t('limits.title')}</h3>
          <p class="card-text">{t('limits.text')}</p>
          <Facts
            items={[
              [t('limits.cpu'), l.cpu_ms + ' ms'],
              [t('limits.wall'), l.wall_ms / 1000 + ' s'],
              [t('limits.memory'), bytes(l.memory_bytes)],
              [t('limits.http'), count(l.http)],
              [t('limits.effects'), count(l.effects)],
            ]}
          />
        </>
      )}
      {(s.pin || (s.pinned ?? []).length > 0) && (
        <>
          <h3>{t('pinned.title')}</h3>
          <p class="card-text">{t('pinned.text')}</p>
          <ul class="pinned">
            {(s.pinned ?? []).map((x) => (
              <li key={x.version}>
                <code>{x.version}</code>
                <span class="num">{t('pinned.term', { since: fullTime(x.since_at), until: fullTime(x.until_at) })}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Errors({ s }: { s: Script }) {
  const errors = health.errorsOf(s);
  if (errors.length === 0) return null;
  return (
    <section class="card bad" aria-label={t('errors.title')}>
      <h2>{t('errors.title')}</h2>
      <ul class="troubles">
        {errors.map((e, i) => (
          <Trouble key={i} s={s} e={e} />
        ))}
      </ul>
    </section>
  );
}

function Trouble({ s, e }: { s: Script; e: ScriptError }) {
  return (
    <li>
      <p class="trouble-head">
        <span class="chip bad">{word('errors.phase', e.phase ?? 'run')}</span>
        <code>{health.place(s, e)}</code>
        <span class="grow" />
        {(e.count ?? 1) > 1 && <span class="num">{t('errors.count', { n: e.count! })}</span>}
        {e.last_at && <At at={e.last_at} />}
      </p>
      <pre class="trouble-text">{e.message}</pre>
      {e.traceback && (
        <details>
          <summary>{t('errors.traceback')}</summary>
          <pre tabIndex={0} aria-label={t('errors.traceback')}>
            {e.traceback}
          </pre>
        </details>
      )}
    </li>
  );
}

// --- versions -------------------------------------------------------------------

/** A canary's note is its figures, anybody else's is a sentence. */
function noteOf(v: ScriptVersion): string {
  if (!v.note.startsWith('{')) return v.note;
  try {
    const c = JSON.parse(v.note) as { share: number; canary: CanarySide };
    return t('versions.tried', { share: c.share, n: c.canary.conversations });
  } catch {
    return v.note;
  }
}

const CALM: Record<string, string> = { serving: 'ok', canary: 'info', refused: 'bad' };

function History(p: { s: Script; versions: Paged<ScriptVersion>; show: (x: { version: string; against?: string }) => void; serve: (v: string) => Promise<void> }) {
  const items = p.versions.items.value;
  const failed = p.versions.failed.value;
  return (
    <section class="card flush" aria-label={t('versions.title')}>
      <h2>{t('versions.title')}</h2>
      {!items && (failed ? <Failed error={explain(failed)} onRetry={() => void p.versions.load()} /> : <Skeleton />)}
      {items && items.length === 0 && <p class="card-text">{t('versions.none')}</p>}
      {items && (
        <ul class="versions">
          {items.map((v) => (
            <li key={v.version + v.since_at}>
              <span class="version-what">
                <code>{v.version}</code>
                <span class={'chip ' + (CALM[v.state] ?? '')}>{word('versions.state', v.state)}</span>
              </span>
              <span class="version-when num">
                {v.since_at ? fullTime(v.since_at) : '–'}
                {' → '}
                {v.until_at ? fullTime(v.until_at) : v.state === 'serving' || v.state === 'canary' ? t('versions.now') : '–'}
              </span>
              {v.note && <span class="version-note">{noteOf(v)}</span>}
              <span class="version-do">
                <button class="btn small" onClick={() => p.show({ version: v.version })}>
                  {t('versions.source')}
                </button>
                {v.version !== p.s.version && p.s.version && (
                  <button class="btn small" onClick={() => p.show({ version: v.version, against: String(p.s.version) })}>
                    {t('versions.diff')}
                  </button>
                )}
                {v.version !== p.s.version && v.state !== 'canary' && may('supervisor') && (
                  <Do class="btn small" run={() => p.serve(v.version)}>
                    {t('versions.serve')}
                  </Do>
                )}
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

// SPDX-License-Identifier: Apache-2.0
// What runs here: every script with its state; errors first, at file:line.
// /scripts is the list, /scripts/rules/20-refund is one.
import { useEffect } from 'preact/hooks';
import type { Script } from '../../sdk/types.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { fullTime, shortTime, t } from '../../shared/i18n.ts';
import { Empty, Failed } from '../../shared/kit/bits.tsx';
import { path } from '../../shared/router.ts';
import { bytes, Head, Link, micros, Skeleton, word } from '../parts/house.tsx';
import { ScriptPage } from './script.tsx';
import * as health from '../stores/health.ts';
import { explain } from '../stores/toast.ts';

const OFF = new Set(['off', 'disabled']);
const BAD = new Set(['broken', 'last_good', 'failing', 'quarantined']);

export function kindOf(s: Script): 'ok' | 'warn' | 'bad' | 'off' {
  if (OFF.has(s.state)) return 'off';
  if (BAD.has(s.state)) return 'bad';
  return health.errorsOf(s).length > 0 || s.state === 'rolled_back' ? 'warn' : 'ok';
}

/** What it is follows from its folder: rules, flows, channels, ai. */
export function folderOf(s: Script): string {
  return s.name.split('/')[0]!;
}

export function StateMark({ s }: { s: Script }) {
  const kind = kindOf(s);
  return (
    <span class={'state ' + kind}>
      <i class={'dot ' + (kind === 'off' ? 'offline' : kind)} />
      {word('scripts.state', s.state)}
    </span>
  );
}

function Errors({ s }: { s: Script }) {
  const errors = health.errorsOf(s);
  return (
    <ul class="script-errors">
      {errors.slice(0, 2).map((e, i) => (
        <li key={i}>
          <code>
            <b>{health.place(s, e)}</b>: {e.message}
          </code>
          {e.last_at && (
            <time class="num" title={fullTime(e.last_at)}>
              {shortTime(e.last_at)}
            </time>
          )}
        </li>
      ))}
    </ul>
  );
}

function Item({ s }: { s: Script }) {
  const bad = (s.failures ?? 0) + (s.kills ?? 0) > 0;
  return (
    <li class={'row-item ' + kindOf(s)}>
      <Link to={'/scripts/' + s.name} class="row">
        <span class="row-main">
          <span class="row-title mono">{s.name}</span>
          <span class="chip">{word('scripts.folder', folderOf(s))}</span>
          {s.canary && <span class="chip info">{t('scripts.trying', { share: s.canary.share })}</span>}
        </span>
        <span class="row-facts num">
          {s.calls !== undefined && <span>{t('scripts.calls', { n: s.calls })}</span>}
          {bad && (
            <span class="bad">
              {t('scripts.failures', { n: s.failures ?? 0 })}
              {s.kills ? ' · ' + t('scripts.kills', { n: s.kills }) : ''}
            </span>
          )}
          {!!s.calls && s.cpu_us !== undefined && <span title={t('scripts.cpuEach')}>{micros(s.cpu_us / s.calls)}</span>}
          {s.memory_bytes !== undefined && <span title={t('scripts.memory')}>{bytes(s.memory_bytes)}</span>}
          {s.loaded_at ? <span title={t('scripts.loaded', { at: fullTime(s.loaded_at) })}>{shortTime(s.loaded_at)}</span> : null}
        </span>
        <StateMark s={s} />
      </Link>
      <Errors s={s} />
    </li>
  );
}

function List() {
  useEffect(() => {
    health.watching.value = true;
    void health.askScripts();
    return () => {
      health.watching.value = false;
    };
  }, []);
  const all = health.scripts.value;
  const failed = health.scriptsFailed.value;
  const rank = (s: Script) => (kindOf(s) === 'bad' ? 0 : health.errorsOf(s).length > 0 ? 1 : 2);
  const sorted = all && all.slice().sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
  const fell = (all ?? []).some((s) => s.state === 'last_good');
  return (
    <main class="page">
      <Head title={t('scripts.title')} text={t('scripts.text')} />
      {fell && (
        <p class="note-line info">
          <Icon d={I.info} size={16} />
          {t('scripts.lastGood')}
        </p>
      )}
      {!sorted && failed ? <Failed error={explain(failed)} onRetry={() => void health.askScripts()} /> : null}
      {!sorted && !failed && <Skeleton />}
      {sorted && sorted.length === 0 && <Empty icon={I.code} title={t('scripts.none')} text={t('scripts.noneText')} />}
      {sorted && sorted.length > 0 && (
        <>
          <ul class="rows" aria-label={t('scripts.title')}>
            {sorted.map((s) => (
              <Item key={s.name} s={s} />
            ))}
          </ul>
        </>
      )}
    </main>
  );
}

export function ScriptsPage() {
  const name = decodeURIComponent(path.value.replace(/^\/scripts\/?/, ''));
  return name ? <ScriptPage key={name} name={name} /> : <List />;
}

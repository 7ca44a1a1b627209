// SPDX-License-Identifier: Apache-2.0
// What runs here: every script with its state; errors first, at file:line.
import { useEffect } from 'preact/hooks';
import type { Script } from '../../sdk/types.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { fullTime, shortTime, t } from '../../shared/i18n.ts';
import { Empty, Failed, Late } from '../../shared/kit/bits.tsx';
import * as health from '../stores/health.ts';
import { explain } from '../stores/toast.ts';

const OFF = new Set(['off', 'disabled', 'retired']);
const BAD = new Set(['error', 'failed', 'broken', 'quarantined']);

function kindOf(s: Script): 'ok' | 'bad' | 'off' {
  if (health.errorsOf(s).length > 0 || BAD.has(s.state)) return 'bad';
  return OFF.has(s.state) ? 'off' : 'ok';
}

function Errors({ s }: { s: Script }) {
  return (
    <ul class="script-errors">
      {health.errorsOf(s).map((e, i) => (
        <li key={i}>
          <code>
            <b>{health.place(s, e)}</b>: {e.message}
          </code>
          {e.at && (
            <time class="num" title={fullTime(e.at)}>
              {shortTime(e.at)}
            </time>
          )}
        </li>
      ))}
    </ul>
  );
}

function Item({ s }: { s: Script }) {
  const kind = kindOf(s);
  return (
    <li class={'script ' + kind}>
      <div class="script-row">
        <i class={'dot ' + (kind === 'off' ? 'offline' : kind)} />
        <span class="script-name">{s.name}</span>
        {s.kind && <span class="chip">{s.kind}</span>}
        <span class="grow" />
        {s.version !== undefined && <span class="script-fact num cut">{t('scripts.version', { v: String(s.version) })}</span>}
        {s.loaded_at ? (
          <span class="script-fact num" title={fullTime(s.loaded_at)}>
            {t('scripts.loaded', { at: shortTime(s.loaded_at) })}
          </span>
        ) : null}
        <span class={'script-state ' + kind}>{t('scripts.' + kind)}</span>
      </div>
      <Errors s={s} />
    </li>
  );
}

export function ScriptsPage() {
  useEffect(() => {
    health.watching.value = true;
    void health.askScripts();
    return () => {
      health.watching.value = false;
    };
  }, []);
  const all = health.scripts.value;
  const failed = health.scriptsFailed.value;
  const sorted = all && all.slice().sort((a, b) => Number(kindOf(b) === 'bad') - Number(kindOf(a) === 'bad') || a.name.localeCompare(b.name));
  return (
    <main class="page">
      <header class="page-head">
        <h1>{t('scripts.title')}</h1>
        <p>{t('scripts.text')}</p>
      </header>
      {health.broken.value.length > 0 && (
        <p class="script-note">
          <Icon d={I.info} size={16} />
          {t('scripts.lastGood')}
        </p>
      )}
      {!sorted && failed ? <Failed error={explain(failed)} onRetry={() => void health.askScripts()} /> : null}
      {!sorted && !failed && (
        <Late>
          <i class="skeleton script-skel" />
          <i class="skeleton script-skel" />
        </Late>
      )}
      {sorted && sorted.length === 0 && <Empty icon={I.code} title={t('scripts.none')} text={t('scripts.noneText')} />}
      {sorted && sorted.length > 0 && (
        <ul class="scripts">
          {sorted.map((s) => (
            <Item key={s.name} s={s} />
          ))}
        </ul>
      )}
    </main>
  );
}

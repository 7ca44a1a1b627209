// SPDX-License-Identifier: Apache-2.0
// The sources of one version, or what differs between two: old left, new right
// in numbers, one column in text, so that it reads on a phone as well.
import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { ScriptVersion } from '../../sdk/house.ts';
import * as I from '../../shared/icons.tsx';
import { t } from '../../shared/i18n.ts';
import { Empty, Failed, Tabs } from '../../shared/kit/bits.tsx';
import { Dialog } from '../../shared/kit/dialog.tsx';
import { scriptPath } from '../stores/health.ts';
import * as app from '../stores/app.ts';
import { diff, hunks } from '../stores/diff.ts';
import { explain } from '../stores/toast.ts';
import { copy, Skeleton } from './house.tsx';

export interface Shown {
  script: string;
  version: string;
  /** Compare with this one, which serves. */
  against?: string;
}

type Files = Map<string, string>;

async function load(script: string, version: string): Promise<Files> {
  const v = await app.rest.get<ScriptVersion>(`${scriptPath(script)}/versions/${encodeURIComponent(version)}`);
  return new Map((v.sources ?? []).map((x) => [x.name, x.text]));
}

function Lines({ text }: { text: string }) {
  const lines = text.replace(/\n$/, '').split('\n');
  return (
    <pre class="code" tabIndex={0}>
      {lines.map((x, i) => (
        <div key={i} class="line">
          <i class="num" aria-hidden="true">
            {i + 1}
          </i>
          <span>{x || ' '}</span>
        </div>
      ))}
    </pre>
  );
}

const SIGN = { same: ' ', gone: '−', new: '+' };

function Difference({ was, is }: { was: string; is: string }) {
  const lines = useMemo(() => hunks(diff(was, is)), [was, is]);
  if (was === is) return <Empty icon={I.check} title={t('diff.same')} />;
  return (
    <pre class="code diff" tabIndex={0}>
      {lines.map((l, i) =>
        'skipped' in l ? (
          <div key={i} class="line hole">
            {t('diff.skipped', { n: l.skipped })}
          </div>
        ) : (
          <div key={i} class={'line ' + l.kind}>
            <i class="num" aria-hidden="true">
              {l.a ?? ''}
            </i>
            <i class="num" aria-hidden="true">
              {l.b ?? ''}
            </i>
            <b aria-label={l.kind === 'same' ? undefined : t('diff.' + l.kind)}>{SIGN[l.kind]}</b>
            <span>{l.text || ' '}</span>
          </div>
        ),
      )}
    </pre>
  );
}

export function Source({ of, onClose }: { of: Shown; onClose: () => void }) {
  const files = useSignal<{ is: Files; was?: Files } | null>(null);
  const failed = useSignal<unknown>(null);
  const at = useSignal('');
  const ask = async () => {
    failed.value = null;
    try {
      const [is, was] = await Promise.all([load(of.script, of.version), of.against ? load(of.script, of.against) : undefined]);
      files.value = { is, was };
    } catch (e) {
      failed.value = e;
    }
  };
  useEffect(() => void ask(), []);
  const f = files.value;
  // In a comparison the side that serves is the old one.
  const names = f ? Array.from(new Set([...f.is.keys(), ...(f.was?.keys() ?? [])])) : [];
  const changed = f?.was ? names.filter((n) => f.is.get(n) !== f.was!.get(n)) : names;
  const tabs = changed.length > 0 ? changed : names;
  const name = tabs.includes(at.value) ? at.value : tabs[0] ?? '';
  const title = of.against ? t('diff.title', { from: of.against, to: of.version }) : t('versions.sourceOf', { version: of.version });
  return (
    <Dialog title={title} onClose={onClose} huge foot={f && !f.was ? <button class="btn" onClick={() => void copy(f.is.get(name) ?? '')}>{t('house.copy')}</button> : undefined}>
      {failed.value ? <Failed error={explain(failed.value)} onRetry={() => void ask()} /> : null}
      {!f && !failed.value && <Skeleton />}
      {f && tabs.length > 1 && <Tabs class="files" label={t('diff.files')} tabs={tabs.map((n) => ({ key: n, label: n }))} value={name} onChange={(n) => (at.value = n)} />}
      {f && tabs.length === 1 && <p class="file-name mono">{name}</p>}
      {f && names.length === 0 && <Empty icon={I.code} title={t('diff.nothing')} />}
      {f && names.length > 0 && (f.was ? <Difference was={f.was.get(name) ?? ''} is={f.is.get(name) ?? ''} /> : <Lines text={f.is.get(name) ?? ''} />)}
    </Dialog>
  );
}

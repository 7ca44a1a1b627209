// SPDX-License-Identifier: Apache-2.0
// The pages of what is set up by a type's schema, a channel or an assistant:
// one of them found (or not), what is wrong with it, its settings, a new one.
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { TypeRow } from '../../sdk/house.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { t } from '../../shared/i18n.ts';
import { Empty, Failed } from '../../shared/kit/bits.tsx';
import { go } from '../../shared/router.ts';
import { may, One, type Paged } from '../stores/paged.ts';
import { explain, toast } from '../stores/toast.ts';
import { Head, said, Skeleton } from './house.tsx';
import { TypePicker, type KindWords, type Row } from './settings.tsx';

export interface Kind<R extends Row, T extends TypeRow> extends KindWords {
  icon: string;
  list: Paged<R>;
  types: Paged<T>;
  typeOf: { value: Map<string, T> };
  look: () => Promise<void>;
}
interface Found extends Row {
  updated_at: number;
}
/** A form for a new one, or for `row`. */
type FormOf<R, T> = (type: T, onDone: (row: R) => void, row?: R) => ComponentChildren;

export const backTo = (k: KindWords) => ({ to: k.path, label: t(k.words + '.title') });

function Note(p: { level: 'bad' | 'warn'; children: ComponentChildren }) {
  return (
    <p class={'note-line ' + p.level}>
      <Icon d={p.level === 'bad' ? I.alert : I.info} size={16} />
      {p.children}
    </p>
  );
}

function Pending({ words }: { words: string }) {
  return (
    <Note level="warn">
      <span>{t(words + '.pendingText')}</span>
    </Note>
  );
}

/** What is wrong with it: no adapter, `more` in its own words, a peer that fails. */
export function Troubles(p: { of: { state: string; breaker?: string }; words: string; more?: ComponentChildren }) {
  const { state, breaker } = p.of;
  return (
    <>
      {state === 'pending' && <Pending words={p.words} />}
      {p.more && <Note level="bad">{p.more}</Note>}
      {breaker && breaker !== 'closed' && (
        <Note level={breaker === 'open' ? 'bad' : 'warn'}>
          <span>{t(p.words + '.breakerText.' + breaker)}</span>
        </Note>
      )}
    </>
  );
}

export function SettingsCard<R extends Row, T extends TypeRow>(p: { kind: Kind<R, T>; row: R; put: (row: R) => void; form: FormOf<R, T> }) {
  const type = p.kind.typeOf.value.get(p.row.type);
  const saved = (row: R) => {
    p.put(row);
    toast(t('channels.saved'));
  };
  return (
    <section class="card" aria-label={t('channels.settings')}>
      <h2>{t('channels.settings')}</h2>
      {/* A type with other fields is another form. */}
      {type ? (
        <div key={p.row.id + type.type + Object.keys(type.schema).join()}>{p.form(type, saved, p.row)}</div>
      ) : p.kind.types.items.value ? (
        <p class="card-text">{t(p.kind.words + '.noType')}</p>
      ) : (
        <Skeleton />
      )}
    </section>
  );
}

/** One by its id, as its list says it: that is asked again every few seconds. */
export function OnePage<R extends Found, T extends TypeRow>(p: { kind: Kind<R, T>; id: string; children: (row: R, put: (row: R) => void) => ComponentChildren }) {
  const { kind, id } = p;
  const one = useMemo(() => new One<R>(), [id]);
  one.open(kind.path + '/' + encodeURIComponent(id));
  const listed = kind.list.items.value?.find((x) => x.id === id);
  useEffect(() => {
    if (!one.value.value) void one.load();
  }, [one]);
  useEffect(() => {
    if (listed && (!one.value.value || listed.updated_at >= one.value.value.updated_at)) one.put(listed);
  }, [listed]);
  const row = one.value.value;
  const failed = one.failed.value;
  if (row) return <>{p.children(row, (x) => one.put(x))}</>;
  const gone = [400, 404].includes((failed as { status?: number } | null)?.status ?? 0);
  return (
    <main class="page">
      <Head title={t(kind.words + '.one')} back={backTo(kind)} />
      {gone ? <Empty icon={kind.icon} title={t(kind.words + '.gone')} text={t('channels.goneText')} /> : failed ? <Failed error={explain(failed)} onRetry={() => void one.load()} /> : <Skeleton />}
    </main>
  );
}

/** A new one: its type, then its form. `made` hears of it before its page opens. */
export function NewPage<R extends Row, T extends TypeRow & { state?: string }>(p: { kind: Kind<R, T>; form: FormOf<R, T>; made?: (row: R) => void }) {
  const { kind } = p;
  const chosen = useSignal<string | null>(null);
  const head = useRef<HTMLDivElement>(null);
  const all = kind.types.items.value;
  const failed = kind.types.failed.value;
  const type = chosen.value ? kind.typeOf.value.get(chosen.value) : undefined;
  useEffect(() => {
    if (type) head.current?.querySelector<HTMLElement>('input')?.focus();
  }, [type?.type]);
  if (!may('admin')) {
    return (
      <main class="page">
        <Head title={t(kind.words + '.add')} back={backTo(kind)} />
        <Empty icon={I.alert} title={t('house.noRight')} text={t('house.noRightText')} />
      </main>
    );
  }
  const done = (row: R) => {
    p.made?.(row);
    toast(t('channels.created', { name: row.name }));
    void kind.look();
    go(kind.path + '/' + row.id, true);
  };
  return (
    <main class="page">
      <Head title={t(kind.words + '.add')} text={t(kind.words + '.addText')} back={backTo(kind)} />
      {!all && (failed ? <Failed error={explain(failed)} onRetry={() => void kind.look()} /> : <Skeleton />)}
      {all && <TypePicker types={all} chosen={chosen.value} onChoose={(x) => (chosen.value = x)} />}
      {type && (
        <section class="card" aria-label={t('channels.settings')}>
          <div ref={head}>
            <h2>{said(type.title) || type.type}</h2>
            {type.state === 'pending' && <Pending words={kind.words} />}
            <div key={type.type}>{p.form(type, done)}</div>
          </div>
        </section>
      )}
    </main>
  );
}

// SPDX-License-Identifier: Apache-2.0
// "Why?": the way of one message as a line of time. Stored, what each script
// did with it, what was refused, what came of it, and whether it arrived.
import { useEffect } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import { Fragment, type ComponentChildren } from 'preact';
import type { Hop, OutboxRow, Trace, TraceEffect, TraceJob } from '../../sdk/house.ts';
import type { Message, Page } from '../../sdk/types.ts';
import { fullTime, t } from '../../shared/i18n.ts';
import { Failed } from '../../shared/kit/bits.tsx';
import { Dialog } from '../../shared/kit/dialog.tsx';
import * as app from '../stores/app.ts';
import { explain } from '../stores/toast.ts';
import { Link, micros, Skeleton, word } from './house.tsx';

const QUOTE = 120;

/** HH:mm:ss.mmm: hops are microseconds apart. */
export function exact(at: number): string {
  const d = new Date(at);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, '0')}`;
}

function quote(text: string): string {
  return '“' + (text.length > QUOTE ? text.slice(0, QUOTE) + '…' : text) + '”';
}

/** What an effect wanted, behind its name. */
export function effectText(e: TraceEffect): string {
  const parts: string[] = [];
  if (e.name) parts.push(e.name);
  if (e.text) parts.push(quote(e.text));
  if (e.agent) parts.push(app.agentName(e.agent) || e.agent);
  if (e.team) parts.push(e.team);
  if (e.pick) parts.push(word('pick', e.pick));
  if (e.number) parts.push(String(e.number));
  if (e.data !== undefined && e.data !== null) parts.push(quote(JSON.stringify(e.data)));
  return parts.join(' ');
}

const OUTCOME: Record<string, string> = { decided: 'ok', rejected: 'warn', failed: 'bad', killed: 'bad', 'waited-cut': 'warn' };

function HopRow({ h }: { h: Hop }) {
  if (h.more) return <li class="soft">{t('why.moreHops', { n: h.more })}</li>;
  return (
    <li>
      <span class="hop">
        <Link to={'/scripts/' + h.unit} class="mono">
          {h.unit}
        </Link>
        <code class="soft">{h.version}</code>
        <span class="num soft" title={h.wall_us !== undefined ? t('why.wall', { time: micros(h.wall_us) }) : undefined}>
          {micros(h.us ?? 0)}
          {h.wall_us !== undefined && h.us !== undefined && h.wall_us > h.us + 1000 ? ' / ' + micros(h.wall_us) : ''}
        </span>
        <span class={'chip ' + (OUTCOME[h.outcome ?? ''] ?? '')}>{word('outcome', h.outcome ?? '')}</span>
      </span>
      {h.error && <pre class="gave bad">{h.error}</pre>}
    </li>
  );
}

function EffectRow({ e }: { e: TraceEffect }) {
  return (
    <li class={e.refused ? 'refused' : ''}>
      <span class="effect">
        <b>{word('effect', e.type)}</b> {effectText(e)}
        {e.unit && <span class="soft mono"> {e.unit}</span>}
      </span>
      {e.refused && <span class="bad">{t('why.refused', { why: e.refused })}</span>}
    </li>
  );
}

function Entry(p: { at?: number; kind: string; title: ComponentChildren; children?: ComponentChildren }) {
  return (
    <li class={p.kind}>
      <span class="tl-when num" title={p.at ? fullTime(p.at) : undefined}>
        {p.at ? exact(p.at) : ''}
      </span>
      <div class="tl-what">
        <p>{p.title}</p>
        {p.children}
      </div>
    </li>
  );
}

function Job({ j }: { j: TraceJob }) {
  const flags = [j.late && 'late', j.default && 'default', j.letter && 'letter', j.cut && 'cut'].filter((x): x is string => !!x);
  return (
    <Entry
      at={j.at}
      kind={j.trouble ? 'bad' : 'job'}
      title={
        <>
          <b>{word('hook', j.hook)}</b>
          {j.what && <span class="mono">{j.what}</span>}
          <span class="num soft">{t('why.took', { ms: j.took_ms })}</span>
          {flags.map((f) => (
            <span key={f} class="chip warn">
              {t('why.' + f)}
            </span>
          ))}
        </>
      }
    >
      {j.hops && j.hops.length > 0 ? (
        <ul class="hops">
          {j.hops.map((h, i) => (
            <HopRow key={i} h={h} />
          ))}
        </ul>
      ) : (
        <p class="soft">{t('why.noHops')}</p>
      )}
      {j.decided_by && <p class="soft">{t('why.decidedBy', { rule: j.decided_by })}</p>}
      {j.kept_by && <p class="soft">{t('why.keptBy', { assistant: j.kept_by })}</p>}
      {j.trouble && <pre class="gave bad">{j.trouble}</pre>}
      {j.effects && j.effects.length > 0 && (
        <ul class="effects" aria-label={t('why.effects')}>
          {j.effects.map((e, i) => (
            <EffectRow key={i} e={e} />
          ))}
        </ul>
      )}
    </Entry>
  );
}

function Caused({ c }: { c: Trace['caused'][number] }) {
  const m = c.event === 'message.created' ? (c.data as unknown as Message) : null;
  const state = typeof c.data.state === 'string' ? c.data.state : '';
  const who = typeof c.data.assignee === 'string' ? app.agentName(c.data.assignee) || c.data.assignee : '';
  const said = m ? quote(m.text ?? m.kind) : [state && t('state.' + state), who].filter(Boolean).join(' · ');
  return (
    <Entry
      at={c.at}
      kind="caused"
      title={
        <>
          <b>{m ? t('role.' + m.sender.role) : word('event', c.event)}</b>
          <span>{said}</span>
        </>
      }
    />
  );
}

/** Why nobody may have seen it; the house's own words if these are new. */
function whyNot(x: Trace): string {
  const d = x.delivery;
  if (!d.why_not) return '';
  if (d.to === 'agent') {
    if (['bot', 'queued', 'closed'].includes(x.state)) return t('why.not.' + x.state);
    return d.sockets === 0 ? t('why.not.agent') : d.why_not;
  }
  return d.sockets === 0 ? t('why.not.visitor') : d.why_not;
}

function Delivery({ x, out }: { x: Trace; out: OutboxRow | null }) {
  const d = x.delivery;
  const who = d.to === 'agent' && d.holder ? d.holder : t('role.' + d.to);
  if (out) {
    return (
      <Entry at={out.updated_at} kind={out.state === 'dead' ? 'bad' : out.state === 'sent' ? 'ok' : 'warn'} title={<b>{t('why.platform.' + out.state, { to: out.to || who })}</b>}>
        {out.reason && <p class={out.state === 'dead' ? 'bad' : 'soft'}>{out.reason}</p>}
        {out.attempts > 0 && <p class="soft num">{t('flows.attempts', { n: out.attempts })}</p>}
      </Entry>
    );
  }
  const not = whyNot(x);
  return (
    <Entry kind={d.read ? 'ok' : not ? 'warn' : 'job'} title={<b>{t(d.read ? 'why.read' : not ? 'why.notYet' : 'why.shown', { who })}</b>}>
      {not && <p>{not}</p>}
      {!d.read && d.sockets !== null && d.sockets > 0 && <p class="soft num">{t('why.sockets', { n: d.sockets })}</p>}
    </Entry>
  );
}

export function TraceDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const trace = useSignal<Trace | null>(null);
  const out = useSignal<OutboxRow | null>(null);
  const failed = useSignal<unknown>(null);
  const ask = async () => {
    failed.value = null;
    try {
      const x = await app.rest.get<Trace>(`/messages/${id}/trace`);
      if (x.message.sender.role !== 'visitor') {
        const rows = await app.rest.get<Page<OutboxRow>>('/outbox', { conversation: x.conversation, limit: 100 }).catch(() => null);
        out.value = rows?.items.find((o) => o.message === id) ?? null;
      }
      trace.value = x;
    } catch (e) {
      failed.value = e;
    }
  };
  useEffect(() => void ask(), [id]);
  const x = trace.value;
  const steps = x
    ? [...x.jobs.map((j) => ({ at: j.at, el: <Job j={j} /> })), ...x.caused.map((c) => ({ at: c.at, el: <Caused c={c} /> }))].sort((a, b) => a.at - b.at)
    : [];
  return (
    <Dialog title={t('why.title')} onClose={onClose} wide>
      {failed.value ? <Failed error={explain(failed.value)} onRetry={() => void ask()} /> : null}
      {!x && !failed.value && <Skeleton />}
      {x && (
        <>
          <ol class="timeline why-line">
            <Entry
              at={x.message.at}
              kind="job"
              title={
                <>
                  <b>{t('why.stored')}</b>
                  <span class="soft num">#{x.message.seq}</span>
                </>
              }
            >
              <p class="said">
                <b>{x.message.sender.name || t('role.' + x.message.sender.role)}</b>
                {': '}
                {x.message.text ?? `[${x.message.kind}]`}
              </p>
            </Entry>
            {steps.map((s, i) => (
              <Fragment key={i}>{s.el}</Fragment>
            ))}
            {steps.length === 0 && <Entry kind="job" title={<span class="soft">{t('why.noJobs')}</span>} />}
            <Delivery x={x} out={out.value} />
          </ol>
          {x.cut && <p class="soft">{t('why.cutAll')}</p>}
          <p class="soft mono why-id">{x.message.id}</p>
        </>
      )}
    </Dialog>
  );
}

// SPDX-License-Identifier: Apache-2.0
// One bubble, the same in the widget and the console.
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { FileInfo, Message } from '../../sdk/types.ts';
import * as I from '../icons.tsx';
import { Icon } from '../icons.tsx';
import { clock, dayTitle, fullTime, lang, t } from '../i18n.ts';
import { Avatar } from '../kit/avatar.tsx';
import { emojis } from './emoji.ts';
import type { Around } from './media.ts';
import type { BubbleRow, Row, Tick } from './rows.ts';
import { Text } from './text.tsx';

export interface BubbleActions {
  onRetry: (ref: string) => void;
  /** Take the failed words back into the composer. */
  onEdit: (ref: string) => void;
}

function TickMark({ tick }: { tick: Tick }) {
  const name = tick === 'queued' || tick === 'sending' ? I.clock : tick === 'stored' ? I.check : tick === 'failed' ? I.alert : I.checks;
  const label = t('tick.' + tick);
  return (
    <span class={'tick tick-' + tick} title={label}>
      <Icon d={name} size={14} label={label} />
    </span>
  );
}

function Failed({ row, actions }: { row: BubbleRow; actions: BubbleActions }) {
  const out = row.out!;
  const key = 'fail.' + out.code;
  const known = t(key);
  return (
    <div class="msg-failed" role="alert">
      <span>{known === key ? out.reason || t('fail.other') : known}</span>
      <button class="link" onClick={() => actions.onRetry(out.ref)}>
        {t('msg.retry')}
      </button>
      <button class="link" onClick={() => actions.onEdit(out.ref)}>
        {t('msg.edit')}
      </button>
    </div>
  );
}

/** A file is drawn by what comes with the first one; then at once, so that
 * its place is there before a log looks how high it is. */
export const files: Around = {};
let media: typeof import('./media.ts') | undefined;
function Media({ m, f }: { m: Message; f: FileInfo }) {
  const at = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    const show = () => at.current && media!.draw(at.current, m, f, lang.value, files);
    if (media) show();
    else
      import('./media.ts').then(
        (x) => ((media = x), show()),
        () => at.current && (at.current.textContent = f.name || f.id),
      );
  }, [f.id, lang.value]);
  return <span ref={at} class="media" />;
}

function kindOf(row: BubbleRow): string {
  if (AGENTS && row.m.private) return 'note';
  if (row.mine) return 'out';
  return row.m.sender.role === 'bot' ? 'bot' : 'in';
}

/** For agents: who took it back. */
function recalledBy(row: BubbleRow): string {
  const { m } = row;
  const by = m.recalled_by;
  if (!by) return t('msg.recalled');
  return row.mine && by.id === m.sender.id ? t('recall.byMe') : t('recall.by', { name: by.name || t('role.' + by.role) });
}

interface Props {
  actions: BubbleActions;
  face: boolean;
  /** What the console calls the visitor now; a message keeps an older name. */
  visitor?: string;
  /** What the console puts at a bubble: why it went so, what a platform said. */
  after?: (row: BubbleRow) => ComponentChildren;
}

export function Bubble({ row, actions, face, visitor, after }: Props & { row: BubbleRow }) {
  const { m } = row;
  const kind = kindOf(row);
  const side = row.mine ? 'right' : 'left';
  const name = (AGENTS && m.sender.role === 'visitor' && visitor) || m.sender.name || t('role.' + m.sender.role);
  return (
    <div class={`msg ${side} ${kind}${row.head ? ' head' : ''}${row.tail ? ' tail' : ''}`} data-seq={row.out ? undefined : m.seq} data-ref={m.ref}>
      {face && !row.mine && <div class="msg-face">{row.head && <Avatar id={m.sender.id} name={name} size={28} bot={m.sender.role === 'bot'} />}</div>}
      <div class="msg-body">
        {row.head && !row.mine && (
          <div class="msg-name">
            {name}
            {m.sender.role === 'bot' && <span class="chip bot">{t('role.bot')}</span>}
          </div>
        )}
        <div class="bubble">
          {AGENTS && m.private && (
            <span class="chip note">
              <Icon d={I.note} size={12} />
              {t('msg.note')}
            </span>
          )}
          <span class="bubble-text">
            {m.recalled ? (
              <i>{AGENTS ? recalledBy(row) : t('msg.recalled' + (row.mine ? 2 : ''))}</i>
            ) : (
              [m.file && <Media m={m} f={m.file} />, (m.text || !m.file) && <Text row={row} text={AGENTS && m.sender.role === 'visitor' ? emojis(m.text ?? t('msg.unsupported')) : m.text ?? t('msg.unsupported')} lang={lang.value} around={files} />]
            )}
          </span>
          <span class="bubble-meta">
            {AGENTS && m.outside && <span>{t('msg.outside')}</span>}
            {row.tick === 'queued' && <span>{t('tick.queued')}</span>}
            <time dateTime={new Date(m.at).toISOString()} title={fullTime(m.at)}>
              {clock(m.at)}
            </time>
            {row.tick && <TickMark tick={row.tick} />}
          </span>
        </div>
        {row.out && row.tick === 'failed' && <Failed row={row} actions={actions} />}
        {AGENTS && after && after(row)}
      </div>
    </div>
  );
}

export function RowView(p: Props & { row: Row }) {
  const { row } = p;
  if (row.type === 'msg') return <Bubble {...(p as Parameters<typeof Bubble>[0])} />;
  if (row.type === 'day')
    return (
      <div class="divider">
        <span>{dayTitle(row.at)}</span>
      </div>
    );
  if (AGENTS && row.type === 'unread')
    return (
      <div class="divider unread">
        <span>{t('msg.unreadBelow')}</span>
      </div>
    );
  const { m } = row as Extract<Row, { type: 'pill' }>;
  return (
    <div class="pill-row">
      <span class="pill" title={fullTime(m.at)}>
        {m.text}
      </span>
    </div>
  );
}

export function TypingBubble({ names, text }: { names: string; text?: string }) {
  return (
    <div class="typing" aria-live="off">
      <span class="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      <span class="cut">{AGENTS && text ? t('typing.text', { name: names, text }) : t('typing.name', { name: names })}</span>
    </div>
  );
}

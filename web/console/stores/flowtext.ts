// SPDX-License-Identifier: Apache-2.0
// A run of a flow in words: what it waits for, what its steps gave.
import type { Flow, FlowLog } from '../../sdk/house.ts';
import type { Message } from '../../sdk/types.ts';
import { t } from '../../shared/i18n.ts';

export function isOver(f: Flow): boolean {
  return f.state === 'done' || f.state === 'failed' || f.state === 'cancelled';
}

/** "30m" of an author's text, in words; what is no duration stays. */
export function duration(text: string): string {
  const m = /^(\d+)(ms|s|m|h|d)$/.exec(text);
  return m ? t('dur.' + m[2], { n: Number(m[1]) }) : text;
}

/** "reply 30m" in words; what is new to us is shown as it is. */
export function waitsFor(f: Flow): string {
  if (isOver(f)) return '';
  const waits = f.view?.waits ?? '';
  const [kind, time] = waits.split(' ');
  if (kind === 'reply') return time ? t('flows.waits.replyFor', { time: duration(time) }) : t('flows.waits.reply');
  if (kind === 'sleep' && time) return t('flows.waits.sleep', { time: duration(time) });
  if (kind === 'retry' && time) return t('flows.waits.retry', { time: duration(time) });
  return waits === '' || waits === 'its turn' ? t('flows.waits.turn') : waits === 'a new version of its script' ? t('flows.waits.version') : waits;
}

/** What a log entry gave, for people: a message's words, else short JSON. */
export function gaveOf(e: FlowLog): string {
  const v = e.v?.[0];
  if (e.v === undefined || e.k === 'start') return '';
  if (v && typeof v === 'object' && 'kind' in v && 'seq' in v) return (v as Message).text ?? '[' + (v as Message).kind + ']';
  if (v === null || v === undefined || v === false) return e.v.slice(1).filter((x) => typeof x === 'string').join(': ');
  return v === true ? '' : JSON.stringify(v);
}

export function failedStep(e: FlowLog): boolean {
  return (e.k === 'step' || e.k === 'saga' || e.k === 'undo') && e.v !== undefined && (e.v[0] === null || e.v[0] === false) && typeof e.v[1] === 'string';
}

// SPDX-License-Identifier: Apache-2.0
// A windowed list over @tanstack/virtual-core: only rows near the screen are
// in the DOM. With `end` it is a log: sticks to the end within 48 px, older
// rows on top keep the reader's place, a late image above corrects scrollTop.
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer, type VirtualizerOptions } from '@tanstack/virtual-core';
import type { ComponentChildren } from 'preact';
import { useCallback, useLayoutEffect, useReducer, useRef } from 'preact/hooks';

const END_PX = 48;
const NEAR_START_PX = 400;

export interface ListApi {
  toEnd(): void;
  toIndex(i: number, align?: 'start' | 'center' | 'end' | 'auto'): void;
  atEnd(): boolean;
}

interface Props<T> {
  rows: T[];
  keyOf: (row: T) => string;
  estimate: (row: T) => number;
  render: (row: T, index: number) => ComponentChildren;
  class?: string;
  label: string;
  end?: boolean;
  rowRole?: 'listitem' | 'article';
  api?: { current: ListApi | null };
  header?: ComponentChildren;
  onNearStart?: () => void;
  onNearEnd?: () => void;
  onAtEnd?: (atEnd: boolean) => void;
}

type V = Virtualizer<HTMLDivElement, HTMLDivElement>;

export function VirtualList<T>(p: Props<T>) {
  const box = useRef<HTMLDivElement>(null);
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  const v = useRef<V | null>(null);
  const atEnd = useRef(true);
  const rows = p.rows;
  // The same functions while the rows are the same: a new one makes the
  // library lay all of them out again, at every frame of a scroll.
  const estimateSize = useCallback((i: number) => p.estimate(rows[i]!), [rows]);
  const getItemKey = useCallback((i: number) => p.keyOf(rows[i]!), [rows]);
  const options: VirtualizerOptions<HTMLDivElement, HTMLDivElement> = {
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize,
    getItemKey,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    overscan: 6,
    anchorTo: p.end ? 'end' : 'start',
    followOnAppend: !!p.end,
    scrollEndThreshold: END_PX,
    paddingStart: p.end ? 12 : 0,
    paddingEnd: p.end ? 12 : 0,
    onChange: () => redraw(undefined),
  };
  if (!v.current) {
    v.current = new Virtualizer(options);
    // The library holds back while scrolling up; but a bubble that joins a
    // group above (and loses its name) must not move the one being read.
    v.current.shouldAdjustScrollPositionOnItemSizeChange = (item, _delta, inst) => {
      const top = inst.scrollOffset || 0;
      return inst.itemSizeCache.has(item.key) ? item.end <= top : item.start < top;
    };
  }
  v.current.setOptions(options);
  const virt = v.current;
  useLayoutEffect(() => virt._didMount(), []);
  useLayoutEffect(() => virt._willUpdate());
  useOpenAtEnd(virt, rows.length > 0 && !!p.end);
  if (p.api) {
    p.api.current = {
      toEnd: () => virt.scrollToEnd(),
      toIndex: (i, align = 'auto') => virt.scrollToIndex(i, { align }),
      atEnd: () => virt.isAtEnd(END_PX),
    };
  }
  const onScroll = () => {
    const el = box.current!;
    if (el.scrollTop < NEAR_START_PX) p.onNearStart?.();
    const left = el.scrollHeight - el.clientHeight - el.scrollTop;
    if (left < NEAR_START_PX) p.onNearEnd?.();
    const now = left <= END_PX;
    if (now !== atEnd.current) {
      atEnd.current = now;
      p.onAtEnd?.(now);
    }
  };
  const items = virt.getVirtualItems();
  return (
    <div
      ref={box}
      class={'vlist ' + (p.class ?? '')}
      onScroll={onScroll}
      tabIndex={0}
      role={p.end ? 'log' : 'group'}
      aria-label={p.label}
      aria-live={p.end ? 'off' : undefined}
    >
      {p.header}
      <div class="vlist-size" style={{ height: virt.getTotalSize() + 'px' }} role={p.rowRole === 'listitem' ? 'list' : undefined}>
        {items.map((it) => (
          <div
            key={it.key}
            data-index={it.index}
            ref={virt.measureElement}
            class="vrow"
            role={p.rowRole}
            aria-setsize={p.rowRole ? rows.length : undefined}
            aria-posinset={p.rowRole ? it.index + 1 : undefined}
            style={{ transform: `translateY(${it.start}px)` }}
          >
            {p.render(rows[it.index]!, it.index)}
          </div>
        ))}
      </div>
    </div>
  );
}

/** A log opens at its end, once its first rows are there and measured. */
function useOpenAtEnd(virt: V, ready: boolean): void {
  const done = useRef(false);
  useLayoutEffect(() => {
    if (!ready || done.current) return;
    done.current = true;
    virt.scrollToEnd();
  });
}

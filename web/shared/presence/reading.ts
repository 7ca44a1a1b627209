// SPDX-License-Identifier: Apache-2.0
// When is a message read? The tab is visible, the window focused, and the
// newest message has been on screen for 500 ms. Told at most twice a second,
// and only forward.

export interface ReadingOptions {
  send: (seq: number) => boolean;
  looking?: () => boolean;
  stayMs?: number;
}

export const isLooking = (): boolean => document.visibilityState === 'visible' && document.hasFocus();

export class Reading {
  private sent = 0;
  private shown = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private looking: () => boolean;
  private stayMs: number;
  /** 标记未读: nothing is read until the agent comes back. */
  paused = false;

  constructor(private o: ReadingOptions) {
    this.looking = o.looking || isLooking;
    this.stayMs = o.stayMs || 500;
  }

  /** Another conversation. */
  reset(alreadyRead: number): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.sent = alreadyRead;
    this.shown = 0;
    this.paused = false;
  }

  /** The newest message is on screen (call on render, scroll, focus). */
  onScreen(seq: number): void {
    if (seq > this.shown) {
      this.shown = seq;
      clearTimeout(this.timer);
      this.timer = undefined;
    }
    this.arm();
  }

  offScreen(): void {
    this.shown = 0;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private arm(): void {
    if (this.timer !== undefined || this.paused || this.shown <= this.sent || !this.looking()) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.paused || this.shown <= this.sent || !this.looking()) return;
      if (this.o.send(this.shown)) this.sent = this.shown;
    }, this.stayMs);
  }
}

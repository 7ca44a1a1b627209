// SPDX-License-Identifier: Apache-2.0
// The same manners for a plain (paged, unwindowed) log: keep to the end
// within 48 px, keep the reader's place when older messages come on top.
const END_PX = 48;

export class Anchor {
  private stick = true;
  private height = 0;
  private topKey: string | undefined;

  constructor(private el: () => HTMLElement | null) {}

  get atEnd(): boolean {
    return this.stick;
  }

  onScroll(): void {
    const e = this.el();
    if (e) this.stick = e.scrollHeight - e.clientHeight - e.scrollTop <= END_PX;
  }

  toEnd(): void {
    const e = this.el();
    this.stick = true;
    if (e) e.scrollTop = e.scrollHeight;
  }

  /** After every render, with the first row's key. */
  settle(topKey: string | undefined): void {
    const e = this.el();
    if (!e) return;
    const grown = e.scrollHeight - this.height;
    if (this.stick) e.scrollTop = e.scrollHeight;
    else if (this.topKey !== undefined && topKey !== this.topKey && grown > 0) e.scrollTop += grown;
    this.height = e.scrollHeight;
    this.topKey = topKey;
  }
}

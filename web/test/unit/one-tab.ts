// SPDX-License-Identifier: Apache-2.0
// Imported first: a channel between tabs would keep the process alive.
delete (globalThis as { BroadcastChannel?: unknown }).BroadcastChannel;
export {};

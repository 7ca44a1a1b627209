// SPDX-License-Identifier: Apache-2.0
// The published face of the SDK.
export { Visitor, type VisitorOptions } from './visitor.ts';
export { AgentClient, type AgentOptions } from './agent.ts';
export { Rest, RestError } from './rest.ts';
export { Session, type SessionState } from './session.ts';
export { Transport } from './transport.ts';
export { Outbox, type OutItem } from './outbox.ts';
export { Timeline } from './sync.ts';
export { browserStore, LocalStore, MemoryStore, type Store } from './storage.ts';
export { newId } from './id.ts';
export { kindOf, upload, UploadError, type Upload, type UploadedFile, type UploadOptions } from './files.ts';
export type * from './types.ts';
export type * from './house.ts';

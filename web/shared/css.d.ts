declare module '*.css';
/** Set by the build: false where only visitors look, and what they never see is left out. */
declare const AGENTS: boolean;

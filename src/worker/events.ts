/**
 * What a worker tells: the logic emits, one listener (worker/log.ts) says it in log lines, users may listen too.
 */
import { EventEmitter } from 'node:events'

export interface RunEventMap {
  'run:finished': [{ run: string; task: string; state: string; reason: string | null; error: unknown }]
  /** Its lease was lost: somebody else owns it now and this outcome was thrown away. */
  'run:refused': [{ run: string; task: string }]
  'run:unstorable': [{ run: string; task: string; error: unknown }]
  'run:log': [{ run: string; task: string; level: string; message: string; data: unknown }]
  /** A hook threw; that changes nothing about its run. */
  'hook:failed': [{ run: string; task: string; hook: string; error: unknown }]
  'worker:started': [{ name: string; queues: Record<string, number>; tasks: number }]
  'worker:stopping': [{ name: string; running: number }]
  'worker:stopped': [{ name: string; handedBack: number }]
  /** Another process declared this worker dead; it goes on under a new identity. */
  'worker:declared-dead': [{ name: string }]
  /** Others live under the same name: settings and commands for it are for all of them. */
  'worker:namesake': [{ name: string; others: number }]
  /** A command asked for it; the worker stops by itself, and its process may want to end. `graceMs` null is the default. */
  'worker:asked-to-stop': [{ name: string; graceMs: number | null }]
  /** It was told something that holds: what it serves now. */
  'worker:told': [{ command: string; args: Record<string, unknown> }]
  /** It has done as many runs, or takes as much memory, as it was to: told once. */
  'worker:spent': [{ why: 'runs' | 'memory'; runs: number; rss: number }]
  'worker:swept': [{ workers: string[]; returned: number; lost: number }]
  'worker:reclaimed': [{ runs: number }]
  'lane:restarted': [{ queue: string; error: unknown }]
  /** Something failed and is being tried again. */
  'worker:trouble': [{ what: string; error: unknown }]
}

export type RunEvents = EventEmitter<RunEventMap>

export function createEvents(): RunEvents {
  return new EventEmitter<RunEventMap>()
}

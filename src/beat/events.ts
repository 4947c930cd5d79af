/**
 * What a beat tells: the logic emits, one listener (beat/log.ts) says it in log lines, users may listen too.
 */
import { EventEmitter } from 'node:events'

export interface BeatEventMap {
  'beat:started': [{ name: string; timezone: string }]
  'beat:stopped': [{ name: string }]
  /** One tick: rows this beat took, firings that enqueued a run, instants skipped because a run was in their way. */
  'beat:fired': [{ taken: number; fired: number; skipped: number }]
  /** Rows whose next instant was worked out; `refused` have an error now. */
  'beat:armed': [{ armed: number; refused: number }]
  'beat:resumed': [{ schedules: number }]
  /** So many schedules were paused because their last runs failed. */
  'beat:paused': [{ schedules: number }]
  /** A row that could not be fired was marked and is left alone until it is edited. */
  'schedule:refused': [{ schedule: string; error: string }]
  'schedule:declared': [{ name: string; outcome: 'made' | 'updated' | 'edited' | 'taken' }]
  /** Schedules that code once declared and this code does not. */
  'schedule:orphaned': [{ names: string[] }]
  /** Something failed and is being tried again. */
  'beat:trouble': [{ what: string; error: unknown }]
}

export type BeatEvents = EventEmitter<BeatEventMap>

export function createBeatEvents(): BeatEvents {
  return new EventEmitter<BeatEventMap>()
}

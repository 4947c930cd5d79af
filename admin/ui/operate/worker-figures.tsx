/** How a worker is, in chips and figures; what is worth a look has the colour of a warning. */
import type { ReactNode } from 'react'
import { State, t } from '../kit/kit.ts'

export interface Standing {
  stopping: boolean
  quiet: boolean
  /** Seconds since its last sign of life. */
  unseen: number
}

/** A worker writes each second; of one that is silent for so long something is wrong. */
export const SILENT_S = 5
const LAG_MS = 500
const SKEW_MS = 2000

export function WorkerState({ stopping, quiet, unseen }: Standing): ReactNode {
  if (unseen > SILENT_S) return <span className="rb-state rb-state-failure">{t('workers.silent')}</span>
  if (stopping) return <State state="stopping" />
  if (quiet) return <State state="quiet" />
  return <span className="rb-state rb-state-success">{t('workers.works')}</span>
}

export function Milliseconds({ value, limit }: { value: number | null; limit: number }): ReactNode {
  if (value === null) return <span className="rb-none">–</span>
  const isFar = Math.abs(value) > limit
  return <span className={`rb-figure ${isFar ? 'rb-bad' : ''}`}>{Math.round(value)} ms</span>
}

export const Lag = ({ ms }: { ms: number | null }): ReactNode => <Milliseconds value={ms} limit={LAG_MS} />
export const Skew = ({ ms }: { ms: number | null }): ReactNode => <Milliseconds value={ms} limit={SKEW_MS} />

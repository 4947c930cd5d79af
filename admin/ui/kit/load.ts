/**
 * What a page shows, asked for when it is drawn and whenever what it depends on changes. The last value stays on the screen while
 * the next is on its way, so nothing flickers; an answer that was overtaken by a later question is dropped.
 */
import { useCallback, useEffect, useRef, useState } from 'react'
import { explain, type Refusal } from './client.ts'

export interface Loaded<Value> {
  /** Undefined until the first answer. */
  value: Value | undefined
  error: Refusal | null
  loading: boolean
  /** Asks again. */
  reload(): void
}

export function useLoad<Value>(ask: () => Promise<Value>, deps: readonly unknown[]): Loaded<Value> {
  const [turn, setTurn] = useState(0)
  const [state, setState] = useState<Omit<Loaded<Value>, 'reload'>>({
    value: undefined,
    error: null,
    loading: true,
  })
  const latest = useRef(ask)
  latest.current = ask
  useEffect(() => {
    let isCurrent = true
    setState((before) => ({ ...before, loading: true }))
    latest.current().then(
      (value) => isCurrent && setState({ value, error: null, loading: false }),
      (error: unknown) =>
        isCurrent && setState((before) => ({ ...before, error: explain(error), loading: false })),
    )
    return () => {
      isCurrent = false
    }
  }, [...deps, turn])
  const reload = useCallback(() => setTurn((before) => before + 1), [])
  return { ...state, reload }
}

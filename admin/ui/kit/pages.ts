/**
 * A list that grows: the first page when it is drawn, the one behind when asked for. Keyset throughout, so that a row never comes
 * twice, whatever came in at the top meanwhile.
 */
import { useEffect, useRef, useState } from 'react'
import type { Page } from '../../../src/client/verbs.ts'
import { explain, type Refusal } from './client.ts'

export interface Grown<Item> {
  /** Undefined until the first answer. */
  items: readonly Item[] | undefined
  error: Refusal | null
  loading: boolean
  /** Null at the end. */
  more: (() => void) | null
  /** From the top again. */
  reload(): void
}

/** `ask` is asked anew, from the top, when one of `deps` changes. */
export function usePages<Item>(
  ask: (cursor: string | undefined) => Promise<Page<Item>>,
  deps: readonly unknown[],
): Grown<Item> {
  const [turn, setTurn] = useState(0)
  const [state, setState] = useState<{
    items: readonly Item[] | undefined
    next: string | null
    error: Refusal | null
    loading: boolean
  }>({ items: undefined, next: null, error: null, loading: true })
  const latest = useRef(ask)
  latest.current = ask
  const asking = useRef(0)
  const load = (cursor: string | undefined, before: readonly Item[]): void => {
    const mine = ++asking.current
    setState((old) => ({ ...old, loading: true }))
    latest.current(cursor).then(
      ({ items, next }) => {
        if (mine === asking.current)
          setState({ items: [...before, ...items], next, error: null, loading: false })
      },
      (error: unknown) => {
        if (mine === asking.current) setState((old) => ({ ...old, error: explain(error), loading: false }))
      },
    )
  }
  useEffect(() => {
    load(undefined, [])
    return () => {
      asking.current++
    }
  }, [...deps, turn])
  const { items, next, error, loading } = state
  return {
    items,
    error,
    loading,
    more: next === null ? null : () => load(next, items ?? []),
    reload: () => setTurn((before) => before + 1),
  }
}

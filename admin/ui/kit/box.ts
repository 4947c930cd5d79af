/**
 * A value that several parts of the screen look at: open dialogs, notices, the language, what time it is. Who holds one may
 * change it; who uses one is drawn again when it changed. There is no store beyond these boxes: what the server knows is loaded where
 * it is shown (load.ts), and what the viewer chose stands in the address (route.tsx).
 */
import { useSyncExternalStore } from 'react'

export interface Box<Value> {
  get(): Value
  set(value: Value): void
  /** Called after each change; answers how to stop that. */
  watch(changed: () => void): () => void
}

export function createBox<Value>(first: Value): Box<Value> {
  let value = first
  const watchers = new Set<() => void>()
  return Object.freeze({
    get: () => value,
    set(next: Value) {
      if (Object.is(next, value)) return
      value = next
      for (const changed of watchers) changed()
    },
    watch(changed: () => void) {
      watchers.add(changed)
      return () => void watchers.delete(changed)
    },
  })
}

export function useBox<Value>(box: Box<Value>): Value {
  return useSyncExternalStore(box.watch, box.get)
}

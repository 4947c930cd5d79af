/**
 * A shelf keeps what is dear to make, for the keys that were asked for last, up to a number of them: the memory of a process
 * that looks after a million schedules stays that of a few thousand.
 */
export interface Shelf<Key, Value> {
  /** What stands for the key; made, and put there, when nothing does. */
  get(key: Key, make: () => Value): Value
}

export function createShelf<Key, Value>(most: number): Shelf<Key, Value> {
  const kept = new Map<Key, Value>()
  return {
    get(key, make) {
      const isKept = kept.has(key)
      const value = isKept ? kept.get(key)! : make()
      // The one asked for last stands last; the first is forgotten.
      if (isKept) kept.delete(key)
      kept.set(key, value)
      if (kept.size > most) kept.delete(kept.keys().next().value!)
      return value
    },
  }
}

/**
 * Who may run beside whom in one process. A run whose worker died twice while it ran may be a poison, so it runs alone:
 * it waits until the others are done and holds the rest back until it ended. Its third crash is then its own and hits
 * nobody else. Everything else goes straight through.
 */
export interface Crowd {
  /** null: go on at once. Else wait for it. */
  enter(alone: boolean): Promise<void> | null
  leave(alone: boolean): void
}

export function createCrowd(): Crowd {
  let inside = 0
  let locked = false
  const waiting: { alone: boolean; go: () => void }[] = []

  const admit = (): void => {
    while (waiting.length > 0 && !locked) {
      if (waiting[0]!.alone && inside > 0) return
      const next = waiting.shift()!
      inside++
      locked = next.alone
      next.go()
    }
  }
  return {
    enter(alone) {
      if (!alone && !locked && waiting.length === 0) {
        inside++
        return null
      }
      return new Promise((go) => {
        waiting.push({ alone, go })
        admit()
      })
    },
    leave(alone) {
      inside--
      if (alone) locked = false
      if (waiting.length > 0) admit()
    },
  }
}

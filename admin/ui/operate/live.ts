/**
 * The figures that the live stream tells each second, and what is worth asking anew because of them. A page asks once when it is
 * drawn and goes on by what it is told; what the stream does not tell is asked again now and then, while somebody looks.
 */
import { useRef, useState } from 'react'
import type { LiveFigures } from '../../../src/control/live.ts'
import { localeTag, useLive } from '../kit/kit.ts'

export type { LiveFigures, LiveQueue, LiveWorker } from '../../../src/control/live.ts'

/** The latest; null before the first, and while the viewer has live updates off. */
export function useFigures(): LiveFigures | null {
  const [figures, setFigures] = useState<LiveFigures | null>(null)
  useLive(({ event, data }) => {
    if (event === 'figures') setFigures(data as LiveFigures)
  })
  return figures
}

/**
 * Calls `reload` every `seconds`, while the stream tells anything, and at once after a break of it or when `keyOf` answers otherwise
 * than for the figures before: what it names is not in the figures whole, so it is asked when they show that it has changed.
 */
export function useRefresh(
  reload: () => void,
  seconds: number,
  keyOf: (figures: LiveFigures) => string = () => '',
): void {
  const last = useRef(performance.now())
  const hasStood = useRef(false)
  const key = useRef<string | null>(null)
  useLive(({ event, data }) => {
    const isBack = event === 'open' && hasStood.current
    if (event === 'open') hasStood.current = true
    const before = key.current
    if (event === 'figures') key.current = keyOf(data as LiveFigures)
    const hasChanged = before !== null && before !== key.current
    if (!isBack && !hasChanged && performance.now() - last.current < seconds * 1000) return
    last.current = performance.now()
    reload()
  })
}

export const waitingIn = (waiting: Readonly<Record<string, number>>): number =>
  Object.values(waiting).reduce((sum, n) => sum + n, 0)

/** `12.5%`. */
export function shareText(share: number): string {
  return new Intl.NumberFormat(localeTag(), { style: 'percent', maximumFractionDigits: 1 }).format(share)
}

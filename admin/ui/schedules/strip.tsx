/** The latest firings as a row of bars, oldest left: how each ended at a glance, and in words for who does not see it. */
import type { ReactNode } from 'react'
import { t, tOr, type client } from '../kit/kit.ts'

export type RecentFiring = Awaited<
  ReturnType<typeof client.listRecentFirings>
>['items'][number]['firings'][number]

const WIDTH = 6
const HEIGHT = 18

export function Strip({ firings }: { firings: readonly RecentFiring[] }): ReactNode {
  if (firings.length === 0) return <span className="rb-none">–</span>
  const marks = firings.toReversed()
  return (
    <svg
      className="rb-lately"
      role="img"
      aria-label={summary(firings)}
      width={marks.length * WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${marks.length * WIDTH} ${HEIGHT}`}
    >
      {marks.map((firing, i) => {
        const height = firing.state === 'fired' ? HEIGHT : HEIGHT / 2
        return (
          <rect
            key={firing.due_at}
            className={`rb-mark rb-mark-${toneOf(firing)}`}
            x={i * WIDTH}
            y={HEIGHT - height}
            width={WIDTH - 2}
            height={height}
          />
        )
      })}
    </svg>
  )
}

/** The state of its run, or why it has none. */
export function stateOf({ state, run_state }: RecentFiring): string {
  return run_state ?? state
}

function toneOf(firing: RecentFiring): string {
  const tones: Record<string, string> = {
    SUCCESS: 'ok',
    FAILURE: 'bad',
    REVOKED: 'calm',
    PENDING: 'run',
    skipped: 'warn',
    missed: 'warn',
  }
  return tones[stateOf(firing)] ?? 'calm'
}

function summary(firings: readonly RecentFiring[]): string {
  const counts = new Map<string, number>()
  for (const firing of firings) counts.set(stateOf(firing), (counts.get(stateOf(firing)) ?? 0) + 1)
  const parts = [...counts].map(([state, count]) => `${count} ${tOr(`states.${state}`, state)}`)
  return t('schedules.lately', { count: firings.length, words: parts.join(', ') })
}

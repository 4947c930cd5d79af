/** How long runs waited and took, by queue, task or worker: the busiest first. */
import type { ReactNode } from 'react'
import { countText, Duration, Empty, Link, localeTag, t, Table, type Column } from '../kit/kit.ts'
import type { Spans, StatsGroup, StatsKey } from '../../../src/control/stats.ts'
import { shareText } from './live.ts'
import { queuePlace, quoted, runsPlace, workerPlace } from './places.ts'

const SHARES = ['p50', 'p95', 'p99'] as const

export function LatencyTable({ by, groups }: { by: StatsKey; groups: readonly StatsGroup[] }): ReactNode {
  const spans = (key: 'wait' | 'duration', title: 'overview.wait' | 'overview.took'): Column<StatsGroup>[] =>
    SHARES.map((share: keyof Spans) => ({
      key: `${key} ${share}`,
      title: t(title, { share }),
      align: 'right',
      render: (group) => <Duration seconds={group[key]?.[share]} />,
    }))
  return (
    <Table
      label={t('overview.latency')}
      rows={groups}
      keyOf={({ name }) => name}
      empty={<Empty title={t('overview.nothingEnded')} />}
      columns={[
        {
          key: 'name',
          title: t('overview.name'),
          isHead: true,
          render: ({ name }) => <Named by={by} name={name} />,
        },
        {
          key: 'ended',
          title: t('overview.done'),
          align: 'right',
          render: ({ succeeded, failed, revoked }) => countText(succeeded + failed + revoked, localeTag()),
        },
        {
          key: 'failed',
          title: t('overview.failureRate'),
          align: 'right',
          render: ({ failure_rate: rate }) =>
            rate === null ? '–' : <span className={rate > 0 ? 'rb-bad' : ''}>{shareText(rate)}</span>,
        },
        ...spans('wait', 'overview.wait'),
        ...spans('duration', 'overview.took'),
      ]}
    />
  )
}

function Named({ by, name }: { by: StatsKey; name: string }): ReactNode {
  if (name === '') return '–'
  const place = {
    queue: queuePlace,
    worker: workerPlace,
    task: (task: string) => runsPlace({ q: `task:${quoted(task)}` }),
  }
  return <Link to={place[by](name)}>{name}</Link>
}

/** What became of a schedule's instants: fired, skipped and why, missed; with the state of each run, and firing a stretch of the past. */
import { useState, type ReactNode } from 'react'
import {
  Card,
  client,
  Duration,
  Empty,
  Link,
  Select,
  State,
  t,
  Table,
  Time,
  tOr,
  Trouble,
  useLoad,
  useMe,
  useQuery,
  type FiringDocument,
  type ScheduleDocument,
} from '../kit/kit.ts'
import { BackfillButton } from './backfill.tsx'
import { Strip, type RecentFiring } from './strip.tsx'

const PAGE = 50
const RECENT = 60

export function Firings({ schedule: { id } }: { schedule: ScheduleDocument }): ReactNode {
  const [{ state = '' }, setQuery] = useQuery()
  const { may } = useMe()
  const [pages, setPages] = useState(1)
  const { value, error, loading, reload } = useLoad(async () => {
    const limit = Math.min(500, PAGE * pages)
    const [page, recent] = await Promise.all([
      client.listFirings(id, { limit, state: state || undefined }),
      client.listRecentFirings({ ids: id, count: RECENT }),
    ])
    return { ...page, recent: recent.items[0]?.firings ?? [] }
  }, [id, state, pages])
  const recent = new Map(value?.recent.map((firing) => [firing.due_at, firing]))
  return (
    <div className="rb-stack">
      <Card
        title={t('schedules.latelyTitle')}
        actions={may('schedules:write') ? <BackfillButton id={id} onDone={reload} /> : null}
      >
        <Strip firings={value?.recent ?? []} />
      </Card>
      <div className="rb-filters">
        <Select
          aria-label={t('firings.state')}
          value={state}
          options={[
            { value: '', label: `${t('firings.state')}: ${t('firings.any')}` },
            ...['fired', 'skipped', 'missed'].map((one) => ({
              value: one,
              label: tOr(`states.${one}`, one),
            })),
          ]}
          onChange={(next) => setQuery({ state: next })}
        />
      </div>
      {error ? <Trouble error={error} retry={reload} /> : null}
      <Table
        label={t('schedules.firings')}
        rows={value?.items ?? []}
        busy={loading && !value}
        keyOf={(firing) => firing.due_at}
        empty={<Empty title={t('firings.empty')} />}
        onMore={value?.next && value.items.length < 500 ? () => setPages(pages + 1) : null}
        columns={[
          {
            key: 'due',
            title: t('firings.due'),
            isHead: true,
            render: (row) => <Time at={row.due_at} plain />,
          },
          { key: 'state', title: t('firings.state'), render: (row) => <State state={row.state} /> },
          { key: 'why', title: t('firings.reason'), render: whyOf },
          {
            key: 'late',
            title: t('firings.lateness'),
            align: 'right',
            render: (row) => <Duration seconds={row.lateness} />,
          },
          {
            key: 'run',
            title: t('firings.run'),
            render: (row) => <Run firing={row} recent={recent.get(row.due_at)} />,
          },
          {
            key: 'took',
            title: t('schedules.took'),
            align: 'right',
            render: (row) => <Duration seconds={recent.get(row.due_at)?.run_seconds ?? null} />,
          },
        ]}
      />
    </div>
  )
}

function whyOf({ reason, count, until_at }: FiringDocument): ReactNode {
  const words = reason === null ? '' : tOr(`schedules.why_${reason}`, reason)
  if (until_at === null) return words || <span className="rb-none">–</span>
  return (
    <>
      {words} {t('schedules.stretch', { count: count ?? 0 })} <Time at={until_at} plain />
    </>
  )
}

function Run({ firing, recent }: { firing: FiringDocument; recent: RecentFiring | undefined }): ReactNode {
  if (firing.run_id === null) return <span className="rb-none">–</span>
  return (
    <Link to={`/resources/runs/records/${firing.run_id}/show`}>
      {recent?.run_state ? <State state={recent.run_state} /> : firing.run_id.slice(0, 8)}
    </Link>
  )
}

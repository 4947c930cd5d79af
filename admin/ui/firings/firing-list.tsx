/** What became of the instants of all schedules: fired with its run, skipped with its reason, missed as a stretch. */
import type { ReactNode } from 'react'
import {
  client,
  Duration,
  Empty,
  Link,
  Loading,
  Page,
  Select,
  State,
  t,
  Table,
  Time,
  tOr,
  Trouble,
  useLoad,
  usePages,
  useQuery,
  type Column,
  type FiringFeedDocument,
} from '../kit/kit.ts'

const SCHEDULES_MAX = 500

export function FiringList(): ReactNode {
  const [query, setQuery] = useQuery()
  const { state = '', schedule = '' } = query
  const firings = usePages(
    (cursor) => client.listAllFirings({ cursor, state: state || undefined, schedule: schedule || undefined }),
    [state, schedule],
  )
  const { value: schedules } = useLoad(
    () => client.listSchedules({ limit: SCHEDULES_MAX, order: 'name' }),
    [],
  )
  const names = new Set([
    ...(schedules?.items.map(({ name }) => name) ?? []),
    ...(schedule ? [schedule] : []),
  ])
  return (
    <Page title={t('firings.title')} lead={t('firings.lead')}>
      <div className="rb-row">
        <Select
          aria-label={t('firings.schedule')}
          className="rb-narrow"
          value={schedule}
          onChange={(name) => setQuery({ schedule: name })}
          options={[{ value: '', label: t('firings.choose') }, ...[...names].toSorted()]}
        />
        <Select
          aria-label={t('firings.state')}
          className="rb-narrow"
          value={state}
          onChange={(word) => setQuery({ state: word })}
          options={[
            { value: '', label: t('firings.any') },
            ...(['fired', 'skipped', 'missed'] as const).map((word) => ({
              value: word,
              label: t(`states.${word}`),
            })),
          ]}
        />
      </div>
      {firings.error ? <Trouble error={firings.error} retry={firings.reload} /> : null}
      {firings.items ? (
        <Table
          label={t('firings.title')}
          rows={firings.items}
          keyOf={({ schedule_id, due_at }) => `${schedule_id} ${due_at}`}
          columns={columns()}
          onMore={firings.more}
          busy={firings.loading}
          empty={<Empty title={t('firings.empty')}>{t('firings.emptyText')}</Empty>}
        />
      ) : firings.error ? null : (
        <Loading />
      )}
    </Page>
  )
}

function columns(): Column<FiringFeedDocument>[] {
  return [
    {
      key: 'schedule',
      title: t('firings.schedule'),
      isHead: true,
      render: ({ schedule, schedule_id }) =>
        schedule === null ? (
          <span className="rb-soft">{schedule_id}</span>
        ) : (
          <Link to={`/resources/schedules/records/${schedule_id}/show`}>{schedule}</Link>
        ),
    },
    { key: 'due', title: t('firings.due'), render: ({ due_at }) => <Time at={due_at} /> },
    { key: 'state', title: t('firings.state'), render: ({ state }) => <State state={state} /> },
    { key: 'reason', title: t('firings.reason'), render: (firing) => <Reason firing={firing} /> },
    {
      key: 'run',
      title: t('firings.run'),
      render: ({ run_id }) =>
        run_id ? (
          <Link to={`/resources/runs/records/${run_id}/show`}>{run_id.slice(-12)}</Link>
        ) : (
          t('firings.none')
        ),
    },
    {
      key: 'late',
      title: t('firings.lateness'),
      align: 'right',
      render: ({ lateness }) => <Duration seconds={lateness} />,
    },
  ]
}

function Reason({ firing: { reason, until_at, count } }: { firing: FiringFeedDocument }): ReactNode {
  const words = reason === null ? '' : tOr(`firings.reason_${reason}`, reason)
  if (until_at === null) return words || '–'
  return (
    <>
      {words} {t('firings.stretch', { count: count ?? '10,000+' })} <Time at={until_at} />
    </>
  )
}

/** One schedule: when it is due next, how it went, what it was before. The tab stands in the address. */
import type { ReactNode } from 'react'
import {
  Button,
  Card,
  client,
  go,
  Json,
  Link,
  Loading,
  Page,
  t,
  Tabs,
  Time,
  Trouble,
  useLoad,
  useMe,
  useQuery,
  type ScheduleDocument,
} from '../kit/kit.ts'
import { giveBack, remove, runNow, toggle } from './actions.tsx'
import { spanText } from './draft.ts'
import { DryRunButton } from './dry-run.tsx'
import { Firings } from './firings.tsx'
import { Standing } from './list.tsx'
import { loadSchedule } from './load-schedule.ts'
import { Ownership } from './ownership.tsx'
import { Instants } from './preview.tsx'
import { Versions } from './versions.tsx'

export function ScheduleShow({ recordId }: { recordId: string }): ReactNode {
  const { value, error, reload } = useLoad(() => loadSchedule(recordId), [recordId])
  const [{ tab = 'now' }, setQuery] = useQuery()
  if (!value)
    return (
      <Page title={t('schedules.one')}>{error ? <Trouble error={error} retry={reload} /> : <Loading />}</Page>
    )
  return (
    <Page
      title={value.name}
      lead={
        <>
          <Link to="/resources/schedules">{t('schedules.title')}</Link> ·{' '}
          {value.text ?? t('schedules.unreadable')}
        </>
      }
      actions={<Actions schedule={value} reload={reload} />}
    >
      {error ? <Trouble error={error} retry={reload} /> : null}
      <Ownership schedule={value} />
      <Tabs
        label={value.name}
        items={[
          { id: 'now', label: t('schedules.now') },
          { id: 'firings', label: t('schedules.firings') },
          { id: 'versions', label: t('schedules.versions') },
        ]}
        active={tab}
        onChange={(id) => setQuery({ tab: id === 'now' ? null : id })}
      >
        {tab === 'versions' ? (
          <Versions schedule={value} onReverted={reload} />
        ) : tab === 'firings' ? (
          <Firings schedule={value} />
        ) : (
          <Now schedule={value} />
        )}
      </Tabs>
    </Page>
  )
}

function Actions({ schedule, reload }: { schedule: ScheduleDocument; reload: () => void }): ReactNode {
  const { may } = useMe()
  if (!may('schedules:write')) return null
  const { id, enabled, origin, edited_at } = schedule
  const act = (done: Promise<boolean>): void => void done.then((isDone) => isDone && reload())
  return (
    <>
      <Button onClick={() => act(toggle(schedule))}>
        {t(enabled ? 'schedules.pause' : 'schedules.resume')}
      </Button>
      <Button onClick={() => void runNow(schedule)}>{t('schedules.runNow')}</Button>
      <DryRunButton ask={() => client.dryRunSchedule(id)} />
      <Link className="rb-button" to={`/resources/schedules/actions/new?from=${id}`}>
        {t('schedules.clone')}
      </Link>
      {origin === 'code' && edited_at ? (
        <Button onClick={() => act(giveBack(schedule))}>{t('schedules.giveBack')}</Button>
      ) : null}
      <Button
        kind="danger"
        onClick={() => void remove(schedule).then((isDone) => isDone && go('/resources/schedules'))}
      >
        {t('schedules.delete')}
      </Button>
      <Link className="rb-button rb-button-primary" to={`/resources/schedules/records/${id}/edit`}>
        {t('schedules.editThis')}
      </Link>
    </>
  )
}

function Now({ schedule }: { schedule: ScheduleDocument }): ReactNode {
  const { value, error, reload } = useLoad(
    () => client.previewSchedule(schedule.id, { count: 10 }),
    [schedule.id, schedule.version],
  )
  const zone = schedule.schedule.kind === 'crontab' ? schedule.schedule.timezone : 'UTC'
  return (
    <div className="rb-columns">
      <div className="rb-stack">
        <Card title={t('schedules.what')}>
          <Facts schedule={schedule} />
        </Card>
        <Card title={t('schedules.input')}>
          <Json value={schedule.input} label={t('schedules.input')} />
        </Card>
      </div>
      <Card title={t('schedules.preview')}>
        {error ? <Trouble error={error} retry={reload} /> : null}
        {value ? <Instants preview={value} zone={zone} /> : error ? null : <Loading />}
      </Card>
    </div>
  )
}

function Facts({ schedule }: { schedule: ScheduleDocument }): ReactNode {
  const spans = (['expires', 'jitter', 'catch_up_window'] as const).map(
    (field) => [field, spanText(schedule[field])] as const,
  )
  const facts: (readonly [label: string, value: ReactNode])[] = [
    [t('schedules.state'), <Standing key="state" schedule={schedule} />],
    [t('schedules.task'), schedule.task],
    [t('schedules.next'), <Time key="next" at={schedule.enabled ? schedule.next_run_at : null} />],
    [t('schedules.last'), <Time key="last" at={schedule.last_run_at} />],
    [t('schedules.total'), schedule.firings_total],
    [t('schedules.timing'), <code key="timing">{JSON.stringify(schedule.schedule)}</code>],
    [t('schedules.description'), schedule.description],
    [t('schedules.queue'), schedule.queue],
    [t('schedules.priority'), schedule.priority],
    [t('schedules.tags'), schedule.tags.join(', ')],
    [t('schedules.expires'), spans[0]![1]],
    [t('schedules.jitter'), spans[1]![1]],
    [t('schedules.overlap'), schedule.overlap],
    [t('schedules.catchUp'), schedule.catch_up],
    [t('schedules.window'), spans[2]![1]],
    [t('schedules.startAt'), schedule.start_at ? <Time key="start" at={schedule.start_at} plain /> : null],
    [t('schedules.endAt'), schedule.end_at ? <Time key="end" at={schedule.end_at} plain /> : null],
    [t('schedules.firingsMax'), schedule.firings_max],
    [t('schedules.failuresMax'), schedule.failures_max],
    [
      t('schedules.headers'),
      Object.keys(schedule.headers).length > 0 ? JSON.stringify(schedule.headers) : null,
    ],
    [t('schedules.version'), schedule.version],
    [t('schedules.changedAt'), <Time key="changed" at={schedule.updated_at} />],
  ]
  return (
    <dl className="rb-facts rb-pairs">
      {facts
        .filter(([, value]) => value !== null && value !== '')
        .map(([label, value]) => (
          <div key={label} className="rb-pair">
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

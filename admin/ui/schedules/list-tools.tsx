/** What stands around the list of schedules: filters, the file in and out, and what is done to many at once. */
import type { ReactNode } from 'react'
import {
  Button,
  client,
  go,
  Input,
  Link,
  notify,
  Select,
  t,
  useQuery,
  type QueryRecord,
  type ScheduleDocument,
} from '../kit/kit.ts'
import { toAll } from './actions.tsx'
import { ImportButton } from './import.tsx'

export function Filters({
  query,
  setQuery,
}: {
  query: QueryRecord
  setQuery: ReturnType<typeof useQuery>[1]
}): ReactNode {
  const choice = (name: string, label: string, options: [value: string, label: string][]): ReactNode => (
    <Select
      aria-label={label}
      value={query[name] ?? ''}
      options={[
        { value: '', label: `${label}: ${t('schedules.any')}` },
        ...options.map(([value, text]) => ({ value, label: `${label}: ${text}` })),
      ]}
      onChange={(value) => setQuery({ [name]: value })}
    />
  )
  return (
    <div className="rb-filters" role="search">
      <Input
        type="search"
        aria-label={t('schedules.search')}
        placeholder={t('schedules.search')}
        value={query.search ?? ''}
        onChange={(search) => setQuery({ search }, { replace: true })}
      />
      {choice('enabled', t('schedules.state'), [
        ['true', t('states.enabled')],
        ['false', t('states.disabled')],
      ])}
      {choice('kind', t('schedules.kind'), [
        ['crontab', t('schedules.crontab')],
        ['interval', t('schedules.interval')],
        ['clocked', t('schedules.clocked')],
        ['solar', t('schedules.solar')],
      ])}
      {choice('origin', t('schedules.owner'), [
        ['user', t('schedules.user')],
        ['code', t('schedules.code')],
      ])}
      {choice('error', t('schedules.health'), [
        ['true', t('schedules.broken')],
        ['false', t('schedules.sound')],
      ])}
    </div>
  )
}

export function PageActions({
  mayWrite,
  query,
  reload,
}: {
  mayWrite: boolean
  query: QueryRecord
  reload: () => void
}): ReactNode {
  return (
    <>
      <Link className="rb-button rb-button-quiet" to="/pages/timeline">
        {t('timeline.title')}
      </Link>
      <Button kind="quiet" onClick={() => void exportFile(query)}>
        {t('schedules.export')}
      </Button>
      {mayWrite ? <ImportButton onDone={reload} /> : null}
      {mayWrite ? (
        <Button kind="primary" onClick={() => go('/resources/schedules/actions/new')}>
          {t('schedules.new')}
        </Button>
      ) : null}
    </>
  )
}

async function exportFile({
  enabled,
  kind,
  origin,
  error,
  tag,
  task,
  queue,
  search,
}: QueryRecord): Promise<void> {
  try {
    const file = await client.exportSchedules({ enabled, kind, origin, error, tag, task, queue, search })
    const url = URL.createObjectURL(new Blob([JSON.stringify(file, null, 2)], { type: 'application/json' }))
    const link = Object.assign(document.createElement('a'), { href: url, download: 'schedules.json' })
    link.click()
    URL.revokeObjectURL(url)
  } catch (refused) {
    notify('error', refused)
  }
}

export function Bulk({
  selected,
  onDone,
}: {
  selected: readonly ScheduleDocument[]
  onDone: () => void
}): ReactNode {
  const count = selected.length
  const begin = (asked: Promise<boolean>): void => void asked.then((isDone) => isDone && onDone())
  return (
    <div className="rb-sched-bulk" role="group" aria-label={t('schedules.selected', { count })}>
      <span>{t('schedules.selected', { count })}</span>
      <Button
        onClick={() =>
          begin(
            toAll(selected, { title: t('schedules.pauseMany', { count }), reason: true }, ({ id }, reason) =>
              client.pauseSchedule(id, { reason }),
            ),
          )
        }
      >
        {t('schedules.pause')}
      </Button>
      <Button
        onClick={() =>
          begin(
            toAll(selected, { title: t('schedules.resumeMany', { count }) }, ({ id }) =>
              client.resumeSchedule(id),
            ),
          )
        }
      >
        {t('schedules.resume')}
      </Button>
      <Button
        kind="danger"
        onClick={() =>
          begin(
            toAll(
              selected,
              { title: t('schedules.deleteMany', { count }), text: t('schedules.deleteText'), danger: true },
              ({ id, version }) => client.deleteSchedule(id, { ifMatch: version }),
            ),
          )
        }
      >
        {t('schedules.delete')}
      </Button>
    </div>
  )
}

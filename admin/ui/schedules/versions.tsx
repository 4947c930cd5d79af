/**
 * What a schedule was: each edit with who made it and what it changed, and the way back. The difference is to the version before, or
 * to what stands now, which is what going back would change.
 */
import { useState, type ReactNode } from 'react'
import {
  Button,
  client,
  confirm,
  Empty,
  Loading,
  notify,
  t,
  Time,
  tOr,
  Trouble,
  useLoad,
  useMe,
  type ScheduleDocument,
} from '../kit/kit.ts'
import { Differences } from './diff-view.tsx'

type Version = Awaited<ReturnType<typeof client.listVersions>>['items'][number]

const PAGE = 50

export function Versions({
  schedule,
  onReverted,
}: {
  schedule: ScheduleDocument
  onReverted: () => void
}): ReactNode {
  const [pages, setPages] = useState(1)
  const { may } = useMe()
  const { value, error, reload } = useLoad(
    () => client.listVersions(schedule.id, { limit: Math.min(500, PAGE * pages) }),
    [schedule.id, schedule.version, pages],
  )
  if (!value) return error ? <Trouble error={error} retry={reload} /> : <Loading />
  const [current] = value.items
  if (!current) return <Empty title={t('schedules.noVersions')} />
  const revert = async (version: Version): Promise<void> => {
    const yes = await confirm({
      title: t('schedules.revertTitle', { version: version.version }),
      text: (
        <>
          <p>{t('schedules.revertText')}</p>
          <Differences before={meaning(current)} after={meaning(version)} />
        </>
      ),
      reason: true,
      action: t('schedules.revert'),
    })
    if (!yes) return
    try {
      await client.revertSchedule(
        schedule.id,
        { version: version.version, reason: yes.reason },
        { ifMatch: schedule.version },
      )
      notify('success', t('schedules.reverted', { name: schedule.name, version: version.version }))
      onReverted()
    } catch (refused) {
      notify('error', refused)
      onReverted()
    }
  }
  return (
    <>
      <ol className="rb-versions" reversed start={current.version}>
        {value.items.map((version, i) => (
          <li key={version.version} className="rb-card">
            <VersionHead version={version} isCurrent={i === 0} />
            <VersionBody version={version} before={value.items[i + 1]} />
            {i > 0 && may('schedules:write') ? (
              <Button onClick={() => void revert(version)}>
                {t('schedules.revertTo', { version: version.version })}
              </Button>
            ) : null}
          </li>
        ))}
      </ol>
      {value.next ? (
        <div className="rb-more">
          <Button onClick={() => setPages(pages + 1)}>{t('kit.more')}</Button>
        </div>
      ) : null}
    </>
  )
}

function VersionHead({ version, isCurrent }: { version: Version; isCurrent: boolean }): ReactNode {
  const { at, action, actor, via, reason } = version
  return (
    <header className="rb-version-head">
      <h3>
        {t('schedules.versionNumber', { version: version.version })}
        {isCurrent ? <span className="rb-hint"> {t('schedules.current')}</span> : null}
      </h3>
      <p>
        {action
          ? tOr(`schedules.did_${action.replace('schedule.', '')}`, action)
          : t('schedules.unknownEdit')}
        {actor ? ` · ${actor}` : ''}
        {via ? ` · ${tOr(`audit.${via}`, via)}` : ''}
        {at ? (
          <>
            {' · '}
            <Time at={at} />
          </>
        ) : null}
      </p>
      {reason ? <p className="rb-soft">“{reason}”</p> : null}
    </header>
  )
}

function VersionBody({ version, before }: { version: Version; before: Version | undefined }): ReactNode {
  if (!before) return <p className="rb-hint">{version.text}</p>
  return <Differences before={before.definition} after={version.definition} />
}

/** Whether it is switched on is not brought back. */
function meaning({ definition }: Version): object {
  const { enabled: _stays, ...rest } = definition
  return rest
}

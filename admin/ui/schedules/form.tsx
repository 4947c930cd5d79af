/**
 * A schedule made, cloned or edited. Beside the fields stand what it will do (the next instants, as one types) and, for one that
 * stands, what the save will change. A save is made to the version that was read: whoever was overtaken is told by whom, and can
 * look at that edit or save over it.
 */
import { useMemo, useState, type ReactNode } from 'react'
import {
  ApiProblem,
  Button,
  Card,
  client,
  explain,
  go,
  Link,
  Loading,
  notify,
  Page,
  t,
  Trouble,
  useLoad,
  useQuery,
  type ScheduleDocument,
  type TaskDocument,
} from '../kit/kit.ts'
import { Differences } from './diff-view.tsx'
import { bodyOf, changesOf, draftOf, freshDraft, type Body, type Draft } from './draft.ts'
import { DryRunButton } from './dry-run.tsx'
import { InputFields, LimitFields, NameFields, RunFields } from './fields.tsx'
import { loadSchedule } from './load-schedule.ts'
import { Ownership } from './ownership.tsx'
import { PreviewCard, previewFaults, usePreview } from './preview.tsx'
import { TimingFields, viewerZone, type Faults } from './timing.tsx'

type CreateBody = Parameters<typeof client.createSchedule>[0]

export function ScheduleForm({ recordId }: { recordId: string }): ReactNode {
  const [{ from = '' }] = useQuery()
  const which = recordId || from
  const loaded = useLoad(
    async () => ({
      tasks: (await client.listTasks()).items,
      schedule: which ? await loadSchedule(which) : null,
    }),
    [which],
  )
  const { value, error, reload } = loaded
  const title = recordId ? t('schedules.edit', { name: value?.schedule?.name ?? '' }) : t('schedules.new')
  if (error && !value)
    return (
      <Page title={title}>
        <Trouble error={error} retry={reload} />
      </Page>
    )
  if (!value)
    return (
      <Page title={title}>
        <Loading />
      </Page>
    )
  const { schedule, tasks } = value
  return (
    <Page title={title} lead={<Link to="/resources/schedules">{t('schedules.title')}</Link>}>
      <Form
        key={schedule ? `${schedule.id} ${schedule.version}` : 'new'}
        standing={recordId ? schedule : null}
        start={startOf(schedule, !recordId)}
        tasks={tasks}
        reload={reload}
      />
    </Page>
  )
}

function startOf(schedule: ScheduleDocument | null, isNew: boolean): Draft {
  if (!schedule) return freshDraft(viewerZone())
  const draft = draftOf(schedule, viewerZone())
  return isNew ? { ...draft, name: t('schedules.copyOf', { name: schedule.name }).slice(0, 200) } : draft
}

interface FormProps {
  /** Null: it is to be made. */
  standing: ScheduleDocument | null
  start: Draft
  tasks: readonly TaskDocument[]
  reload: () => void
}

function Form({ standing, start, tasks, reload }: FormProps): ReactNode {
  const [draft, setDraft] = useState(start)
  const [isJson, setJson] = useState(true)
  const save = useSave(standing, draft, start)
  const previewed = usePreview(draft)
  const change = (changes: Partial<Draft>): void => setDraft((before) => ({ ...before, ...changes }))
  const faults: Faults = { ...previewFaults(previewed), ...save.faults, ...unchosen(save.faults, draft) }
  const part = { draft, onChange: change, faults }
  const task = useMemo(() => tasks.find(({ name }) => name === draft.task), [tasks, draft.task])
  return (
    <form
      className="rb-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        if (isJson) void save.send()
      }}
    >
      {standing ? <Ownership schedule={standing} /> : null}
      {save.overtaken ? (
        <Overtaken id={standing!.id} version={standing!.version} reload={reload} saveOver={save.saveOver} />
      ) : null}
      <div className="rb-form-columns">
        <div className="rb-stack">
          <Card title={t('schedules.what')}>
            <NameFields {...part} tasks={tasks} />
          </Card>
          <Card title={t('schedules.when')}>
            <TimingFields {...part} />
          </Card>
          <Card title={t('schedules.input')}>
            <InputFields {...part} schema={task?.input_schema ?? null} onValid={setJson} />
          </Card>
          <details className="rb-card rb-more-fields">
            <summary>{t('schedules.runOptions')}</summary>
            <RunFields {...part} />
          </details>
          <details className="rb-card rb-more-fields">
            <summary>{t('schedules.limits')}</summary>
            <LimitFields {...part} />
          </details>
        </div>
        <div className="rb-stack rb-form-side">
          <div className="rb-row">
            <Button type="submit" kind="primary" busy={save.busy} disabled={!isJson}>
              {standing ? t('schedules.save') : t('schedules.create')}
            </Button>
            <DryRunButton
              ask={() =>
                standing
                  ? client.dryRunSchedule(standing.id, { changes: changesOf(draft, start) })
                  : client.dryRunDefinition({ definition: bodyOf(draft) as unknown as CreateBody })
              }
            />
            <Button kind="quiet" onClick={() => go(standing ? placeOf(standing.id) : '/resources/schedules')}>
              {t('kit.cancel')}
            </Button>
          </div>
          {save.error ? <SaveTrouble save={save} /> : null}
          <PreviewCard previewed={previewed} draft={draft} />
          {standing ? (
            <Card title={t('schedules.changes')}>
              <Differences before={bodyOf(start)} after={bodyOf(draft)} />
            </Card>
          ) : null}
        </div>
      </div>
    </form>
  )
}

/** Of no task at all the server says what a name must be like. */
function unchosen(faults: Faults, { task }: Draft): Faults {
  return faults['/task'] && task === '' ? { '/task': t('schedules.chooseTask') } : {}
}

interface Save {
  busy: boolean
  error: unknown
  faults: Faults
  /** Somebody else saved first. */
  overtaken: boolean
  send(): Promise<void>
  saveOver(): Promise<void>
}

function useSave(standing: ScheduleDocument | null, draft: Draft, start: Draft): Save {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const overtaken = error instanceof ApiProblem && error.code === 'RB_SCHEDULE_CHANGED'
  const send = async (ifMatch: number | '*'): Promise<void> => {
    setBusy(true)
    setError(null)
    try {
      const saved = await store(standing, draft, start, ifMatch)
      notify('success', t(standing ? 'schedules.saved' : 'schedules.created', { name: saved.name }))
      go(placeOf(saved.id))
    } catch (refused) {
      setError(refused)
      setBusy(false)
    }
  }
  return {
    busy,
    error: overtaken ? null : error,
    faults: error ? explain(error).faults : {},
    overtaken,
    send: () => send(standing?.version ?? '*'),
    saveOver: () => send('*'),
  }
}

async function store(
  standing: ScheduleDocument | null,
  draft: Draft,
  start: Draft,
  ifMatch: number | '*',
): Promise<ScheduleDocument> {
  if (!standing) return await client.createSchedule(bodyOf(draft) as unknown as CreateBody)
  const changes: Body = changesOf(draft, start)
  return await client.editSchedule(standing.id, changes, { ifMatch })
}

function SaveTrouble({ save }: { save: Save }): ReactNode {
  return <Trouble error={explain(save.error)} />
}

function Overtaken({
  id,
  version,
  reload,
  saveOver,
}: {
  id: string
  version: number
  reload: () => void
  saveOver: () => Promise<void>
}): ReactNode {
  const { value } = useLoad(() => client.listVersions(id, { limit: 20 }), [id])
  const newer = value?.items.filter((one) => one.version > version) ?? []
  return (
    <div className="rb-trouble rb-overtaken" role="alert">
      <p>{t('schedules.overtaken')}</p>
      <ul className="rb-notes">
        {newer.map((one) => (
          <li key={one.version}>
            {t('schedules.overtakenBy', {
              version: one.version,
              who: one.actor ?? '–',
              fields: one.changed?.join(', ') ?? '–',
            })}
          </li>
        ))}
      </ul>
      <div className="rb-row">
        <Button onClick={reload}>{t('schedules.takeTheirs')}</Button>
        <Button kind="danger" onClick={() => void saveOver()}>
          {t('schedules.saveOver')}
        </Button>
      </div>
    </div>
  )
}

export function placeOf(id: string): string {
  return `/resources/schedules/records/${id}/show`
}

/** What belongs to a run: who asked for it, what it repeats, what it asked for, what repeats it. */
import type { ReactNode } from 'react'
import { Card, client, Link, State, t, Time, useLoad, type RunDocument } from '../kit/kit.ts'
import { runPath, shortId } from './columns.tsx'

const MOST = 20

export function Family({ run }: { run: RunDocument }): ReactNode {
  const around = useLoad(async () => {
    const one = (id: string | null): Promise<RunDocument | null> =>
      id === null ? Promise.resolve(null) : client.getRun(id).catch(() => null)
    const [parent, origin, children, retries] = await Promise.all([
      one(run.parent),
      one(run.retry_of),
      client.listRuns({ parent: run.id, limit: MOST }),
      client.listRuns({ retry_of: run.id, limit: MOST }),
    ])
    return { parent, origin, children: children.items, retries: retries.items }
  }, [run.id, run.state])
  const { parent, origin, children = [], retries = [] } = around.value ?? {}
  const isAlone = !run.parent && !run.retry_of && children.length + retries.length === 0
  return (
    <Card title={t('runs.family')}>
      <dl className="rb-run-facts">
        <Group title={t('runs.parent')} id={run.parent} runs={parent ? [parent] : []} />
        <Group title={t('runs.retryOf')} id={run.retry_of} runs={origin ? [origin] : []} />
        <Group title={t('runs.children')} runs={children} />
        <Group title={t('runs.retries')} runs={retries} />
      </dl>
      {isAlone ? <p className="rb-hint">{t('runs.noFamily')}</p> : null}
      <p>
        <Link to={`/resources/runs?${new URLSearchParams({ q: `task:${run.task}` })}`}>
          {t('runs.sameTask')}
        </Link>
      </p>
    </Card>
  )
}

function Group({
  title,
  id = null,
  runs,
}: {
  title: string
  /** Of one that may be gone. */
  id?: string | null
  runs: readonly RunDocument[]
}): ReactNode {
  if (runs.length === 0 && id === null) return null
  return (
    <div>
      <dt>{title}</dt>
      <dd>
        {runs.length === 0 ? <code>{id}</code> : null}
        <ul className="rb-plain-list">
          {runs.map((run) => (
            <li key={run.id}>
              <Link to={runPath(run.id)}>
                {run.task} {shortId(run.id)}
              </Link>{' '}
              <State state={run.state} /> <Time at={run.created_at} />
            </li>
          ))}
        </ul>
      </dd>
    </div>
  )
}

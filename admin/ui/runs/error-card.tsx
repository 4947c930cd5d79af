/** The error that ended a run, with its stack and what caused it; and the way to the others that failed like it. */
import type { ReactNode } from 'react'
import { Card, Code, Link, t, type RunDocument } from '../kit/kit.ts'

type Fault = NonNullable<RunDocument['error']>

/** Causes of causes that are shown. */
const DEEPEST = 5

export function ErrorCard({ run }: { run: RunDocument }): ReactNode {
  const { error, task } = run
  if (!error) return null
  const like = `state:failed task:${task} error.name:"${error.name.replaceAll(/["\\]/g, '\\$&')}"`
  return (
    <Card
      title={t('runs.error')}
      className="rb-error-card"
      actions={
        run.state === 'FAILURE' ? (
          <Link to={`/resources/runs?${new URLSearchParams({ q: like })}`}>{t('runs.similar')}</Link>
        ) : null
      }
    >
      {chainOf(error).map((one, at) => (
        <div key={at} className="rb-error">
          {at > 0 ? <p className="rb-hint">{t('runs.cause')}</p> : null}
          <p className="rb-error-words">
            <strong>{one.name}</strong> {one.message} {one.code ? <code>{one.code}</code> : null}
          </p>
          {one.stack ? <Code text={one.stack} label={t('runs.stack')} /> : null}
        </div>
      ))}
    </Card>
  )
}

function chainOf(error: Fault): Fault[] {
  const chain: Fault[] = []
  for (let one: Fault | null = error; one && chain.length < DEEPEST; one = one.cause) chain.push(one)
  return chain
}

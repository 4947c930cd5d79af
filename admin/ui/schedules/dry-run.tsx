/** The run that a firing would make, exactly: the server makes it in a transaction and takes that back. */
import { useState, type ReactNode } from 'react'
import { Button, Dialog, explain, Json, t, Time, Trouble, type client, type Refusal } from '../kit/kit.ts'
import { Notes } from './preview.tsx'

type DryRun = Awaited<ReturnType<typeof client.dryRunSchedule>>

export function DryRunButton({ ask }: { ask: () => Promise<DryRun> }): ReactNode {
  const [busy, setBusy] = useState(false)
  const [told, setTold] = useState<{ run: DryRun } | { error: Refusal } | null>(null)
  const begin = (): void => {
    setBusy(true)
    ask()
      .then(
        (run) => setTold({ run }),
        (error: unknown) => setTold({ error: explain(error) }),
      )
      .finally(() => setBusy(false))
  }
  return (
    <>
      <Button busy={busy} onClick={begin}>
        {t('schedules.dryRun')}
      </Button>
      {told ? (
        <Dialog wide title={t('schedules.dryRunTitle')} onClose={() => setTold(null)}>
          {'run' in told ? <Told run={told.run} /> : <Refused error={told.error} />}
          <div className="rb-dialog-actions">
            <Button onClick={() => setTold(null)}>{t('kit.close')}</Button>
          </div>
        </Dialog>
      ) : null}
    </>
  )
}

function Told({ run: { run, due_at, notes } }: { run: DryRun }): ReactNode {
  const { id: _nobodys, ...rest } = run
  const known = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null))
  return (
    <div className="rb-stack">
      <p>
        {t('schedules.dryRunText')} <Time at={due_at} plain />
      </p>
      <Notes notes={notes} />
      <Json value={known} label={t('schedules.dryRun')} />
    </div>
  )
}

function Refused({ error }: { error: Refusal }): ReactNode {
  return (
    <div className="rb-stack">
      <Trouble error={error} />
      <Notes notes={Object.entries(error.faults).map(([pointer, detail]) => `${pointer} ${detail}`)} />
    </div>
  )
}

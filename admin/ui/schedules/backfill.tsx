/** Fires instants of the past that were not fired: first it says which, then it is asked for. */
import { useState, type ReactNode } from 'react'
import { Button, client, Dialog, explain, notify, t, Time, Trouble, type Refusal } from '../kit/kit.ts'
import { InstantField } from './instant-field.tsx'

type Backfill = Awaited<ReturnType<typeof client.backfillSchedule>>

const SHOWN = 10

export function BackfillButton({ id, onDone }: { id: string; onDone: () => void }): ReactNode {
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <Button onClick={() => setOpen(true)}>{t('schedules.backfill')}</Button>
      {isOpen ? (
        <BackfillDialog
          id={id}
          close={(isDone) => {
            setOpen(false)
            if (isDone) onDone()
          }}
        />
      ) : null}
    </>
  )
}

function BackfillDialog({ id, close }: { id: string; close: (isDone: boolean) => void }): ReactNode {
  const [stretch, setStretch] = useState({ from: '', to: '' })
  const [found, setFound] = useState<Backfill | null>(null)
  const [error, setError] = useState<Refusal | null>(null)
  const change = (changes: Partial<typeof stretch>): void => {
    setStretch({ ...stretch, ...changes })
    setFound(null)
  }
  const ask = async (dry_run: boolean): Promise<void> => {
    setError(null)
    try {
      const told = await client.backfillSchedule(id, { ...stretch, dry_run })
      if (dry_run) return setFound(told)
      notify('success', t('schedules.backfilled', { count: told.items.length }))
      close(true)
    } catch (refused) {
      setError(explain(refused))
    }
  }
  return (
    <Dialog title={t('schedules.backfill')} onClose={() => close(false)}>
      <div className="rb-fields">
        <p>{t('schedules.backfillText')}</p>
        <InstantField
          label={t('schedules.fromInstant')}
          error={error?.faults['/from']}
          value={stretch.from}
          onChange={(from) => change({ from })}
        />
        <InstantField
          label={t('schedules.toInstant')}
          error={error?.faults['/to']}
          value={stretch.to}
          onChange={(to) => change({ to })}
        />
        {error ? <Trouble error={error} /> : null}
        {found ? <Found found={found} /> : null}
      </div>
      <div className="rb-dialog-actions">
        <Button onClick={() => close(false)}>{t('kit.cancel')}</Button>
        <Button onClick={() => void ask(true)}>{t('schedules.backfillShow')}</Button>
        <Button kind="primary" disabled={!found || found.items.length === 0} onClick={() => void ask(false)}>
          {t('schedules.backfillDo')}
        </Button>
      </div>
    </Dialog>
  )
}

function Found({ found: { items, fired_before } }: { found: Backfill }): ReactNode {
  return (
    <div aria-live="polite">
      <p>{t('schedules.backfillFound', { count: items.length, before: fired_before })}</p>
      <ul className="rb-notes">
        {items.slice(0, SHOWN).map(({ due_at }) => (
          <li key={due_at}>
            <Time at={due_at} plain />
          </li>
        ))}
        {items.length > SHOWN ? <li>…</li> : null}
      </ul>
    </div>
  )
}

/** A dialog that sends something: what the server refused stands at the fields it is about, and the dialog stays. */
import { useState, type ReactNode } from 'react'
import { Button, Dialog, explain, t, type Refusal } from '../kit/kit.ts'

export interface Asking {
  onClose: () => void
}

export interface Form {
  busy: boolean
  refusal: Refusal | null
  fault(pointer: string): string | null
  send(): void
}

/** Sends once at a time; what was refused stands at the fields it is about. */
export function useForm(send: () => Promise<void>): Form {
  const [busy, setBusy] = useState(false)
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  return {
    busy,
    refusal,
    fault: (pointer) => refusal?.faults[pointer] ?? null,
    send() {
      setBusy(true)
      setRefusal(null)
      send()
        .catch((error: unknown) => setRefusal(explain(error)))
        .finally(() => setBusy(false))
    },
  }
}

export function FormDialog({
  title,
  action,
  form,
  isReady = true,
  danger = false,
  onClose,
  children,
}: Asking & {
  title: string
  action: string
  form: Form
  isReady?: boolean
  danger?: boolean
  children: ReactNode
}): ReactNode {
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (isReady && !form.busy) form.send()
        }}
      >
        <div className="rb-fields">{children}</div>
        {form.refusal ? (
          <p className="rb-fault" role="alert">
            {form.refusal.text}
          </p>
        ) : null}
        <div className="rb-dialog-actions">
          <Button onClick={onClose}>{t('kit.cancel')}</Button>
          <Button type="submit" kind={danger ? 'danger' : 'primary'} disabled={!isReady} busy={form.busy}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

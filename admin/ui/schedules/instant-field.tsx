/** An instant, picked in the viewer's zone and kept in UTC. What was not touched keeps its milliseconds. */
import type { ReactNode } from 'react'
import { Field, Input } from '../kit/kit.ts'
import { instantOf, localText } from './draft.ts'

export function InstantField({
  label,
  hint,
  error,
  value,
  onChange,
}: {
  label: string
  hint?: ReactNode
  error?: string | null
  value: string
  onChange: (at: string) => void
}): ReactNode {
  return (
    <Field label={label} hint={hint} error={error}>
      <Input
        type="datetime-local"
        step={1}
        value={localText(value)}
        onChange={(local) => onChange(instantOf(local))}
      />
    </Field>
  )
}

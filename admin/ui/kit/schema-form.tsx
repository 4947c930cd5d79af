/**
 * An input by the task's JSON Schema: a field for each thing, or the whole as JSON text, whichever is nearer. What is typed as text
 * and is no JSON yet stays on the screen and is told as a fault; the value is the last that could be read.
 *
 * `errors` are those of the server, by pointer: `{ '/x': 'must be number' }`, or with a base before them as `pointer` says.
 */
import { useEffect, useState, type ReactNode } from 'react'
import { Button, Field, Input, Select, TextArea } from './control.tsx'
import { Tabs } from './page.tsx'
import {
  fieldsOf,
  freshItem,
  isRecord,
  itemField,
  pointerTo,
  readNumber,
  withField,
  type FormField,
} from './schema.ts'
import { t } from './text.ts'

export interface SchemaFormProps {
  /** Null or true: any JSON. */
  schema: unknown
  value: unknown
  onChange: (value: unknown) => void
  errors?: Readonly<Record<string, string>>
  /** What the pointers of `errors` begin with, as in `/input`. */
  pointer?: string
  label?: string
  /** Whether the text, if that is what is edited, can be read as JSON. */
  onValid?: (isValid: boolean) => void
}

export function SchemaForm(props: SchemaFormProps): ReactNode {
  const { schema, value, onChange, errors = {}, pointer = '', label, onValid } = props
  const fields = fieldsOf(schema)
  const canShow = fields !== null && fields.length > 0 && (value === undefined || isRecord(value))
  const [wish, setWish] = useState<'form' | 'json'>('form')
  const tab = canShow ? wish : 'json'
  const whole = errors[pointer] ?? errors[`${pointer}/`]
  const body =
    tab === 'form' ? (
      <Fields
        fields={fields!}
        value={value}
        onChange={onChange}
        errors={errors}
        pointer={pointer}
        root={schema}
      />
    ) : (
      <>
        <JsonField
          label={label ?? t('kit.json')}
          value={value}
          onChange={onChange}
          error={whole}
          rows={10}
          onValid={onValid}
        />
        <FaultList errors={errors} pointer={pointer} />
      </>
    )
  if (!canShow) return <div className="rb-schema">{body}</div>
  return (
    <div className="rb-schema">
      <Tabs
        label={label ?? t('kit.form')}
        items={[
          { id: 'form', label: t('kit.form') },
          { id: 'json', label: t('kit.json') },
        ]}
        active={tab}
        onChange={(id) => {
          setWish(id as 'form' | 'json')
          onValid?.(true)
        }}
      >
        {whole && tab === 'form' ? <p className="rb-fault">{whole}</p> : null}
        {body}
      </Tabs>
    </div>
  )
}

interface Part {
  value: unknown
  onChange: (value: unknown) => void
  errors: Readonly<Record<string, string>>
  pointer: string
  root: unknown
}

function Fields({
  fields,
  value,
  onChange,
  errors,
  pointer,
  root,
}: Part & { fields: readonly FormField[] }): ReactNode {
  const record = isRecord(value) ? value : {}
  return (
    <div className="rb-fields">
      {fields.map((field) => (
        <One
          key={field.name}
          field={field}
          value={record[field.name]}
          onChange={(next) => onChange(withField(record, field.name, next))}
          errors={errors}
          pointer={pointerTo(pointer, field.name)}
          root={root}
        />
      ))}
    </div>
  )
}

function One(part: Part & { field: FormField }): ReactNode {
  const { field, value, onChange, errors, pointer, root } = part
  const { kind, label, hint, isRequired } = field
  const error = errors[pointer]
  const around = { label, hint, error, required: isRequired }
  if (kind === 'object')
    return (
      <fieldset className="rb-group">
        <legend>{label}</legend>
        {hint ? <p className="rb-hint">{hint}</p> : null}
        {error ? <p className="rb-fault">{error}</p> : null}
        <Fields
          fields={field.fields}
          value={value}
          onChange={onChange}
          errors={errors}
          pointer={pointer}
          root={root}
        />
      </fieldset>
    )
  if (kind === 'list') return <List {...part} />
  if (kind === 'json')
    return <JsonField {...around} value={value} onChange={onChange} rows={4} isEmptyNothing />
  if (kind === 'switch') return <Switch {...part} />
  if (kind === 'choice') return <ChoiceField {...part} />
  if (kind === 'number')
    return (
      <Field {...around}>
        <Input
          inputMode={field.isWhole ? 'numeric' : 'decimal'}
          value={textOf(value)}
          onChange={(text) => onChange(readNumber(text))}
        />
      </Field>
    )
  return (
    <Field {...around}>
      <Input
        value={textOf(value)}
        maxLength={field.schema.maxLength}
        onChange={(text) => onChange(text === '' && !isRequired ? undefined : text)}
      />
    </Field>
  )
}

/** Three ways where it may be left out: yes, no, not said. */
function Switch({ field, value, onChange, errors, pointer }: Part & { field: FormField }): ReactNode {
  const { label, hint, isRequired } = field
  return (
    <Field label={label} hint={hint} error={errors[pointer]} required={isRequired}>
      <Select
        value={value === undefined ? '' : String(value)}
        options={[
          { value: '', label: t('kit.notSet') },
          { value: 'true', label: t('kit.yes') },
          { value: 'false', label: t('kit.no') },
        ]}
        onChange={(text) => onChange(text === '' ? undefined : text === 'true')}
      />
    </Field>
  )
}

function ChoiceField({ field, value, onChange, errors, pointer }: Part & { field: FormField }): ReactNode {
  const { label, hint, isRequired, choices } = field
  const at = choices.findIndex((one) => JSON.stringify(one) === JSON.stringify(value))
  return (
    <Field label={label} hint={hint} error={errors[pointer]} required={isRequired}>
      <Select
        value={at < 0 ? '' : String(at)}
        options={[
          { value: '', label: t('kit.notSet') },
          ...choices.map((one, index) => ({
            value: String(index),
            label: typeof one === 'string' ? one : JSON.stringify(one),
          })),
        ]}
        onChange={(text) => onChange(text === '' ? undefined : choices[Number(text)])}
      />
    </Field>
  )
}

function List({ field, value, onChange, errors, pointer, root }: Part & { field: FormField }): ReactNode {
  const items = Array.isArray(value) ? (value as unknown[]) : []
  const item = itemField(field, root)
  return (
    <fieldset className="rb-group">
      <legend>{field.label}</legend>
      {field.hint ? <p className="rb-hint">{field.hint}</p> : null}
      {errors[pointer] ? <p className="rb-fault">{errors[pointer]}</p> : null}
      {items.map((one, at) => (
        // oxlint-disable-next-line react/no-array-index-key -- an item of a list has no other name
        <div key={at} className="rb-item">
          <One
            field={{ ...item, label: `${field.label} ${at + 1}` }}
            value={one}
            onChange={(next) => onChange(items.map((old, index) => (index === at ? (next ?? null) : old)))}
            errors={errors}
            pointer={pointerTo(pointer, at)}
            root={root}
          />
          <Button
            kind="quiet"
            aria-label={t('kit.remove', { name: `${field.label} ${at + 1}` })}
            onClick={() => onChange(items.filter((_, index) => index !== at))}
          >
            ×
          </Button>
        </div>
      ))}
      <Button kind="quiet" onClick={() => onChange([...items, freshItem(item)])}>
        {t('kit.add')}
      </Button>
    </fieldset>
  )
}

/** JSON as text. It follows the value when somebody else changes that, not while it is typed. */
export function JsonField(props: {
  label: string
  hint?: string | null
  error?: string | null
  required?: boolean
  value: unknown
  onChange: (value: unknown) => void
  rows?: number
  isEmptyNothing?: boolean
  onValid?: (isValid: boolean) => void
}): ReactNode {
  const { label, hint, error, required, value, onChange, rows = 6, isEmptyNothing, onValid } = props
  const [text, setText] = useState(() => writeJson(value))
  const [fault, setFault] = useState<string | null>(null)
  useEffect(() => {
    if (!isSame(text, value)) {
      setText(writeJson(value))
      setFault(null)
    }
  }, [value])
  const type = (next: string): void => {
    setText(next)
    if (next.trim() === '' && isEmptyNothing) {
      setFault(null)
      onChange(undefined)
      return
    }
    try {
      const read = JSON.parse(next) as unknown
      setFault(null)
      onValid?.(true)
      onChange(read)
    } catch (wrong) {
      setFault(t('kit.jsonWrong', { fault: (wrong as Error).message }))
      onValid?.(false)
    }
  }
  return (
    <Field label={label} hint={hint} error={fault ?? error} required={required}>
      <TextArea value={text} onChange={type} rows={rows} className="rb-mono" />
    </Field>
  )
}

/** Beside JSON text no field can say what is wrong with it. */
function FaultList({
  errors,
  pointer,
}: {
  errors: Readonly<Record<string, string>>
  pointer: string
}): ReactNode {
  const inside = Object.entries(errors).filter(
    ([at]) => at.startsWith(`${pointer}/`) && at.length > pointer.length + 1,
  )
  if (inside.length === 0) return null
  return (
    <ul className="rb-faults">
      {inside.map(([at, detail]) => (
        <li key={at} className="rb-fault">
          <code>{at}</code> {detail}
        </li>
      ))}
    </ul>
  )
}

function isSame(text: string, value: unknown): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(value)
  } catch {
    return text.trim() === '' && value === undefined
  }
}

function writeJson(value: unknown): string {
  return value === undefined ? '' : JSON.stringify(value, null, 2)
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

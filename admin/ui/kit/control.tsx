/**
 * What is pressed and filled in: real buttons and inputs, each with its name. A field ties label, hint and fault to its
 * control by ids, so that they are read out with it.
 */
import {
  cloneElement,
  useId,
  type ButtonHTMLAttributes,
  type InputHTMLAttributes,
  type ReactElement,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
} from 'react'

export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'onClick'> {
  kind?: 'plain' | 'primary' | 'danger' | 'quiet'
  /** Waits for what it began. */
  busy?: boolean
  onClick?: () => void
}

export function Button({
  kind = 'plain',
  busy = false,
  className = '',
  onClick,
  ...rest
}: ButtonProps): ReactNode {
  return (
    <button
      type="button"
      aria-busy={busy || undefined}
      {...rest}
      disabled={busy || rest.disabled}
      onClick={onClick ? () => onClick() : undefined}
      className={`rb-button rb-button-${kind} ${className}`}
    />
  )
}

export interface FieldProps {
  label: string
  hint?: ReactNode
  error?: string | null
  required?: boolean
  /** One control. */
  children: ReactElement<{ id?: string; 'aria-describedby'?: string; 'aria-invalid'?: boolean }>
}

export function Field({ label, hint, error, required, children }: FieldProps): ReactNode {
  const id = useId()
  const described = [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ')
  return (
    <div className="rb-field">
      <label className="rb-label" htmlFor={id}>
        {label}
        {required ? <span aria-hidden="true"> *</span> : null}
      </label>
      {cloneElement(children, {
        id,
        'aria-describedby': described || undefined,
        'aria-invalid': error ? true : undefined,
      })}
      {hint ? (
        <p className="rb-hint" id={`${id}-hint`}>
          {hint}
        </p>
      ) : null}
      {error ? (
        <p className="rb-fault" id={`${id}-error`}>
          {error}
        </p>
      ) : null}
    </div>
  )
}

/** Tells the text, not the event. */
type Told<Props> = Omit<Props, 'onChange' | 'value'> & {
  value: string
  onChange: (value: string) => void
}

export function Input({
  value,
  onChange,
  className = '',
  ...rest
}: Told<InputHTMLAttributes<HTMLInputElement>>): ReactNode {
  return (
    <input
      type="text"
      autoComplete="off"
      spellCheck={false}
      {...rest}
      className={`rb-input ${className}`}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  )
}

export interface Choice {
  value: string
  label: string
}

export function Select({
  value,
  onChange,
  options,
  className = '',
  ...rest
}: Told<SelectHTMLAttributes<HTMLSelectElement>> & { options: readonly (Choice | string)[] }): ReactNode {
  return (
    <select
      {...rest}
      className={`rb-input rb-select ${className}`}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    >
      {options.map((option) => {
        const { value: one, label } = typeof option === 'string' ? { value: option, label: option } : option
        return (
          <option key={one} value={one}>
            {label}
          </option>
        )
      })}
    </select>
  )
}

export function TextArea({
  value,
  onChange,
  className = '',
  ...rest
}: Told<TextareaHTMLAttributes<HTMLTextAreaElement>>): ReactNode {
  return (
    <textarea
      rows={6}
      spellCheck={false}
      {...rest}
      className={`rb-input rb-text ${className}`}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  )
}

export function Check({
  label,
  checked,
  onChange,
  disabled,
  hideLabel = false,
}: {
  label: string
  checked: boolean
  onChange: (checked: boolean) => void
  disabled?: boolean
  hideLabel?: boolean
}): ReactNode {
  return (
    <label className="rb-check">
      <input
        type="checkbox"
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.target.checked)}
      />
      <span className={hideLabel ? 'rb-unseen' : ''}>{label}</span>
    </label>
  )
}

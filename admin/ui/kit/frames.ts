/**
 * Server-sent events out of text as it comes in, in pieces that end anywhere. EventSource would do it, but tells only events whose
 * names it was given beforehand.
 */
export interface Frame {
  event: string
  data: string
  id: string | null
}

export interface FrameReader {
  /** The events that are whole with this piece; the rest is kept for the next. */
  read(piece: string): Frame[]
}

export function createFrameReader(): FrameReader {
  let rest = ''
  return {
    read(piece) {
      const blocks = (rest + piece).replaceAll('\r\n', '\n').split('\n\n')
      rest = blocks.pop()!
      return blocks.map(readFrame).filter((frame) => frame !== null)
    },
  }
}

/** Null for comments, by which a stream is kept open. */
function readFrame(block: string): Frame | null {
  const fields = block
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(':'))
    .map((line) => /^([^:]*):? ?(.*)$/s.exec(line)!.slice(1) as [string, string])
  const data = fields.filter(([name]) => name === 'data').map(([, value]) => value)
  if (data.length === 0) return null
  return {
    event: fields.find(([name]) => name === 'event')?.[1] ?? 'message',
    data: data.join('\n'),
    id: fields.find(([name]) => name === 'id')?.[1] ?? null,
  }
}

/**
 * The stack of the main thread, taken from another thread, so that it can be had while the main thread is blocked: V8's own
 * debugger is asked to pause it at its next instruction, which interrupts a loop that never ends, and to let it go on.
 *
 * What is not JavaScript cannot be interrupted (a synchronous read, a native module, Atomics.wait): then no pause comes, and the
 * answer is null. What a handler awaits is on no stack at all.
 */
import { Session, type Debugger } from 'node:inspector'
import { fileURLToPath } from 'node:url'

export interface Frame {
  readonly function: string
  readonly file: string
  readonly line: number
  /** The run that a frame of the worker itself has in hand. */
  readonly run?: string
}

const FRAMES_MAX = 64
/** Frames of a worker's own that know their run: those of files in this folder. */
const OWN = new URL('.', import.meta.url).href
const RUN_IN_HAND = "typeof trying === 'object' && trying && trying.job ? trying.job.key : null"

/** null: the main thread did not pause within `timeoutMs`. Throws where there is no inspector. */
export async function readMainStack(timeoutMs: number): Promise<Frame[] | null> {
  const session = new Session()
  session.connectToMainThread()
  // A frame names its script by number only.
  const urls = new Map<string, string>()
  session.on('Debugger.scriptParsed', ({ params }) => void urls.set(params.scriptId, params.url))
  try {
    const paused = new Promise<Debugger.CallFrame[]>((resolve) =>
      session.once('Debugger.paused', ({ params }) => resolve(params.callFrames)),
    )
    await post(session, 'Debugger.enable')
    void post(session, 'Debugger.pause').catch(() => {})
    const frames = await Promise.race([paused, after(timeoutMs)])
    if (!frames) return null
    const told: Frame[] = []
    for (const frame of frames.slice(0, FRAMES_MAX))
      told.push(await describe(session, frame, urls.get(frame.location.scriptId) ?? frame.url))
    return told
  } finally {
    // Lets go whatever is paused, also when something failed on the way.
    session.disconnect()
  }
}

async function describe(session: Session, frame: Debugger.CallFrame, url: string): Promise<Frame> {
  const { functionName, location, callFrameId } = frame
  const run = url.startsWith(OWN) ? await runInHand(session, callFrameId) : null
  return {
    function: functionName || '(anonymous)',
    file: url.startsWith('file:') ? fileURLToPath(url) : url,
    line: location.lineNumber + 1,
    ...(run === null ? {} : { run }),
  }
}

async function runInHand(session: Session, callFrameId: string): Promise<string | null> {
  try {
    const { result } = await post<{ result: { value?: unknown } }>(session, 'Debugger.evaluateOnCallFrame', {
      callFrameId,
      expression: RUN_IN_HAND,
      returnByValue: true,
      throwOnSideEffect: true,
    })
    return typeof result.value === 'string' ? result.value : null
  } catch {
    return null
  }
}

function post<Answer>(session: Session, method: string, params: object = {}): Promise<Answer> {
  return new Promise((resolve, reject) =>
    session.post(method, params, (error, answer) => (error ? reject(error) : resolve(answer as Answer))),
  )
}

function after(ms: number): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), ms).unref())
}

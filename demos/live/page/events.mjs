// What a line of --json may be: tests/events/schema.json has it at length, and a test compares the two.
//
// Whatever comes over the stream or out of a file is somebody else's: what is not an event never gets further than here, and what is
// one is only ever shown as text.

const longest_text = 1024 // characters

const count = value => Number.isSafeInteger(value) && value >= 0
const pid = value => count(value) && value > 0
const text = value => typeof value === 'string' && value.length <= longest_text
const or_null = fits => value => value === null || fits(value)
const or_missing = fits => value => value === undefined || fits(value)
const one_of = (...words) => value => words.includes(value)

const conn = or_null(text) // a client's address and port: by it events of two processes belong together
const kind = one_of('connection', 'server')

const common = { v: one_of(1), seq: count, t_us: count, pid, role: one_of('main', 'worker', 'client'), slot: or_null(count), ev: text, host: or_missing(text) }

export const fields_of = {
  start: { program: text },
  strategy: { how: text, workers: count },
  listening: { address: or_null(text), port: or_null(count), fd: count },
  worker_up: { worker: count, worker_pid: pid },
  connect: { conn, fd: count },
  wakeup: { empty: one_of(true) },
  accept: { conn, fd: count, wakeups: count },
  send_fd: { kind, conn: or_missing(conn), fd: count, to: or_null(count), to_pid: pid, bytes: count },
  recv_fd: { kind, conn: or_missing(conn), fd: count, bytes: count },
  close_copy: { conn: or_missing(conn), fd: count },
  shutdown: { conn, fd: count },
  request: { conn, method: text, target: text },
  response: { conn, status: count, us: count },
  conn_closed: { conn, fd: count, reason: text },
  worker_exit: { worker: count, worker_pid: pid, code: or_null(count), signal: or_null(text) },
  respawn: { worker: count, after_ms: count },
  dropped: { count: pid },
  line: { text },
  answer: { by: text, text },
  failed: { why: text },
  stop: { code: count }
}

// The one event that is the page's own: a main that is killed cannot tell its `stop`. No stream and no recording may have it:
// `fields_of` does not.
export const vanished = (pid, t_us, why, host) => ({ v: 1, seq: 0, t_us, pid, role: 'main', slot: null, ev: 'vanished', why, ...(host !== '' && { host }) })

const fit = (value, fields) => Object.entries(fields).every(([name, fits]) => fits(value[name]))

export function is_event(value) {
  return value !== null && typeof value === 'object' && fit(value, common) && Object.hasOwn(fields_of, value.ev) && fit(value, fields_of[value.ev])
}

/// The events of a recording, one a line; and how many lines were none.
export function read_recording(recording) {
  const events = []
  let refused = 0
  for (const line of recording.split('\n')) {
    if (line.trim() === '') continue
    let event
    try { event = JSON.parse(line) } catch { /* refused below */ }
    if (is_event(event)) events.push(event)
    else ++refused
  }
  return { events, refused }
}

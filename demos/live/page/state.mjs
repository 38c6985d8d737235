// What is known after some events: a fold, state = events.reduce(apply, new_state()). It depends on nothing but the events in the order
// of their times, so a step back is the same fold over fewer of them, and the tests need no browser.
//
// One connection, as its events tell it:
//
//     connect ---> queue ---accept---> main ---send_fd---> crossing ---recv_fd---> worker ---conn_closed---> closed
//                    |                  |                     ^                      ^
//                    |                  +------ again, when its worker died ---------+
//                    +---accept, by a worker (examples 2 and 3)----------------------+
//
// Two processes tell of the same thing in their own time: an accept can come before the client's own connect. So whoever is first makes
// the connection, and nothing moves it back.

const remembered = 200 // closed connections, and hand-overs
const most_workers = 256
const most_hosts = 4
const most_connections = 20000 // a stream that never closes one must not fill the memory

export const untold = 'untold' // how a process has ended, when nobody has told

const new_process = (pid, slot = null) => ({ pid, slot, gone: '', fds: new Map(), accepted: 0, handed: 0 })

export function new_state() {
  return {
    now: 0, // t_us of the last event
    last: null, // that event
    program: '',
    how: '', // --mode, --accept or --policy
    line: '', // the last that would stand on stdout
    port: null,
    main: null,
    workers: [], // boxes, in the order of their slots
    connections: new Map(), // by address
    closed: 0, // of these
    numbered: 0, // connections seen, forgotten ones too
    crossings: [], // descriptors on their way, and the last that have arrived
    clients: new Map(), // programs that run, by PID
    ended: { asked: 0, answered: 0, lost: 0 }, // the sum of those that have ended
    dropped: 0, // events that nobody had time to read
    hosts: new Map() // of several, whose events say which: by its name a state like this one
  }
}

/// Of one host without a name this state itself, as [['', state]]; else what is known of each, by their names.
export const hosts_of = state => state.hosts.size > 0 ? [...state.hosts].sort(([a], [b]) => a < b ? -1 : 1) : [['', state]]

/// What an event is about.
export const host_of = (state, event) => state.hosts.get(event.host) ?? state

const new_worker = (slot, pid) => ({ ...new_process(pid, slot), connections: 0, answers: 0, in_vain: 0, vain_times: [], restarts: 0, told: false, silent: false })

export const worker_of = (state, pid) => state.workers.find(worker => worker.pid === pid)

const process_of = (state, event) => event.role === 'main' ? state.main : event.role === 'worker' ? worker_of(state, event.pid) : undefined

/// How many wait in the kernel: a client has connected, and nobody has accepted.
export const waiting = state => [...state.connections.values()].filter(one => one.place === 'queue')

/// What the clients have counted themselves.
export function asked(state) {
  const sum = { ...state.ended } // the clients are on no host
  for (const client of state.clients.values()) add_up(sum, client, waits_on(state, client))
  return sum
}

// Requests without an answer, on connections that are there. What was asked on one that has ended is lost, which the client tells, or
// asked again on another: a connection that is kept may end just when it is used again.
const waits_on = (state, client) => [...client.asking].filter(conn => (state.connections.get(conn)?.place ?? 'closed') !== 'closed').length

// A client of HTTP tells each try; the other one, which asks by connecting, tells that. A request that is tried again is still one. But
// nobody may have told yet that a connection is over (a worker that is stopped tells nothing): there were never more requests than tries.
function add_up(sum, client, waiting) {
  const settled = client.answered + client.lost
  sum.asked += Math.max(settled, client.requests > 0 ? Math.min(client.requests, settled + waiting) : client.connects)
  sum.answered += client.answered
  sum.lost += client.lost
}

// ---- connections

function meet(state, conn, t_us) {
  let one = state.connections.get(conn)
  if (!one) {
    one = { conn, number: state.numbered++, place: '', since: t_us, connected: null, accepted: null, accepted_by: null, holders: new Map(), answered_by: null, responded: false, reason: '', closed: null }
    state.connections.set(conn, one)
    if (state.connections.size > most_connections) state.connections.delete(state.connections.keys().next().value)
  }
  return one
}

// A port that is used again is another connection: `is_over` says whether the one we know cannot be meant.
function meet_anew(state, conn, t_us, is_over) {
  const known = state.connections.get(conn)
  if (known && is_over(known)) {
    if (known.place === 'closed') --state.closed
    state.connections.delete(conn)
  }
  return meet(state, conn, t_us)
}

function close(state, one, reason, t_us) {
  if (one.place === 'closed') return
  one.place = 'closed'
  one.reason = reason
  one.closed = t_us
  if (++state.closed <= remembered) return
  for (const [conn, other] of state.connections) {
    if (other.place !== 'closed') continue
    state.connections.delete(conn)
    --state.closed
    return
  }
}

function take(process, fd, what, conn = null) {
  process.fds.set(fd, { what, conn })
}

// This process has no longer this number for it; nobody else may have one, either.
function let_go(state, process, event) {
  process.fds.delete(event.fd)
  const one = state.connections.get(event.conn)
  if (one && one.holders.get(process.pid) === event.fd) one.holders.delete(process.pid)
  return one
}

function end_main(state, event, how, reason) {
  state.main.gone = how
  state.main.fds.clear()
  for (const one of state.connections.values()) close(state, one, reason, event.t_us)
}

/// What is known by now of mains that have not ended: [[host, PID]].
export const mains_left = state => hosts_of(state).filter(([, { main }]) => main && !main.gone).map(([host, { main }]) => [host, main.pid])

// ---- what each event changes

const changes = {
  start(state, event) {
    if (event.role === 'client') state.clients.set(event.pid, { program: event.program, connects: 0, requests: 0, asking: new Set(), answered: 0, lost: 0 })
    if (event.role !== 'main') return
    Object.assign(state, new_state(), { program: event.program, main: new_process(event.pid), dropped: state.dropped })
  },

  strategy(state, event) {
    state.how = event.how
  },

  listening(state, event) {
    state.port ??= event.port
    const process = process_of(state, event)
    if (process) take(process, event.fd, 'server')
  },

  // A place that a worker has left is the next one's: its sums stay with the place.
  worker_up(state, event) {
    const before = state.workers.find(one => one.slot === event.worker && one.gone)
    if (before) Object.assign(before, new_process(event.worker_pid, event.worker), { accepted: before.accepted, told: false, silent: false })
    else if (state.workers.length < most_workers) state.workers.push(new_worker(event.worker, event.worker_pid))
    state.workers.sort((a, b) => a.slot - b.slot)
  },

  connect(state, event) {
    const client = state.clients.get(event.pid)
    if (client) ++client.connects
    if (event.conn === null) return
    client?.asking.delete(event.conn) // a port that is used again
    const one = meet_anew(state, event.conn, event.t_us, known => known.connected !== null)
    one.connected = event.t_us
    if (one.place === '') one.place = 'queue'
  },

  wakeup(state, event) {
    const worker = worker_of(state, event.pid)
    if (!worker) return
    ++worker.in_vain
    worker.vain_times = [...worker.vain_times.slice(-4), event.t_us]
  },

  accept(state, event) {
    const process = process_of(state, event)
    if (!process) return
    take(process, event.fd, 'connection', event.conn)
    ++process.accepted
    if (event.role === 'worker') ++process.connections
    if (event.conn === null) return
    const one = meet_anew(state, event.conn, event.t_us, known => known.accepted !== null)
    Object.assign(one, { place: event.role, accepted: event.t_us, accepted_by: event.pid })
    one.holders.set(event.pid, event.fd)
  },

  send_fd(state, event) {
    const conn = event.conn ?? null
    state.crossings.push({ kind: event.kind, conn, from_pid: event.pid, from_fd: event.fd, slot: event.to, to_pid: event.to_pid, to_fd: null, bytes: event.bytes, sent: event.t_us, received: null })
    if (state.crossings.length > remembered) state.crossings.shift()
    const process = process_of(state, event)
    if (process && event.kind === 'connection') ++process.handed
    const one = state.connections.get(conn)
    if (one && one.place !== 'closed') one.place = 'crossing'
  },

  recv_fd(state, event) {
    const worker = worker_of(state, event.pid)
    if (!worker) return
    const conn = event.conn ?? null
    const crossing = state.crossings.find(one => one.received === null && one.to_pid === event.pid && one.kind === event.kind && one.conn === conn)
    if (crossing) Object.assign(crossing, { to_fd: event.fd, received: event.t_us })
    take(worker, event.fd, event.kind, conn)
    if (event.kind === 'server') return
    ++worker.connections
    if (conn === null) return
    const one = meet(state, conn, event.t_us)
    if (one.place !== 'closed') one.place = 'worker'
    one.holders.set(event.pid, event.fd)
  },

  close_copy(state, event) {
    const process = process_of(state, event)
    if (!process) return
    const one = let_go(state, process, event)
    if (one && one.place === 'worker' && one.reason && one.holders.size === 0) close(state, one, one.reason, event.t_us)
    const crossing = state.crossings.find(one => one.received === null && one.from_pid === event.pid && one.from_fd === event.fd && one.kind === 'connection')
    if (!crossing) return
    // A copy is closed when the worker has acknowledged: it has arrived. A worker that does not tell so is no program of ours, and will
    // not tell the end, either.
    crossing.received = event.t_us
    const worker = worker_of(state, crossing.to_pid)
    if (!worker) return
    ++worker.connections
    worker.silent = !worker.told
    if (one) close(state, one, 'untold', event.t_us)
  },

  shutdown(state, event) {
    const worker = worker_of(state, event.pid)
    const one = state.connections.get(event.conn)
    if (!worker || one?.responded) return // that was the answer
    ++worker.answers
    if (one) one.answered_by ??= worker.slot
  },

  request(state, event) {
    const client = state.clients.get(event.pid)
    if (!client) return
    ++client.requests
    if (client.asking.size < most_connections) client.asking.add(event.conn)
  },

  response(state, event) {
    state.clients.get(event.pid)?.asking.delete(event.conn)
    const worker = worker_of(state, event.pid)
    if (!worker) return
    ++worker.answers
    const one = state.connections.get(event.conn)
    if (one) Object.assign(one, { answered_by: worker.slot, responded: true })
  },

  conn_closed(state, event) {
    const process = process_of(state, event)
    if (!process) return
    const one = let_go(state, process, event)
    if (!one || one.place === 'closed') return
    one.reason = event.reason
    if (one.holders.size === 0) close(state, one, event.reason, event.t_us) // else when the main has closed its copy
  },

  // The kernel closes what it had. A connection that nobody else has is over; one that the main still has may go to another worker.
  worker_exit(state, event) {
    const worker = worker_of(state, event.worker_pid)
    if (!worker) return
    worker.gone = event.signal ?? `exit ${event.code}`
    worker.fds.clear()
    state.crossings = state.crossings.filter(one => one.received !== null || one.to_pid !== event.worker_pid)
    for (const one of state.connections.values())
      if (one.holders.delete(event.worker_pid) && one.holders.size === 0) close(state, one, 'died', event.t_us)
  },

  respawn(state, event) {
    const worker = state.workers.find(one => one.slot === event.worker)
    if (worker) ++worker.restarts
  },

  dropped(state, event) {
    state.dropped += event.count
  },

  answer(state, event) {
    const client = state.clients.get(event.pid)
    if (client) ++client.answered
    const worker = worker_of(state, Number(event.by))
    if (worker && !worker.told) worker.silent = true // it answers, and tells us nothing: no program of ours
  },

  failed(state, event) {
    const client = state.clients.get(event.pid)
    if (client) ++client.lost
  },

  stop(state, event) {
    const client = state.clients.get(event.pid)
    // One that ends by itself has an answer to each, or has told that there is none.
    if (client) add_up(state.ended, client, event.code <= 1 ? 0 : waits_on(state, client))
    state.clients.delete(event.pid)
    if (event.pid === state.main?.pid) end_main(state, event, `exit ${event.code}`, 'stopped')
  },

  // See events.mjs. Its workers end with their channel to it, and nobody is there to tell that, either.
  vanished(state, event) {
    if (event.pid !== state.main?.pid || state.main.gone) return
    end_main(state, event, untold, 'died')
    for (const worker of state.workers) {
      worker.gone ||= untold
      worker.fds.clear()
    }
    state.crossings = state.crossings.filter(one => one.received !== null)
  },

  line(state, event) {
    state.line = event.text
  }
}

/// Changes `state`, and returns it. Of more hosts than the page can show nothing is told.
export function apply(state, event) {
  if (event.host !== undefined) {
    const host = state.hosts.get(event.host) ?? (state.hosts.size < most_hosts ? new_state() : undefined)
    if (host) state.hosts.set(event.host, change(host, event))
    state.now = Math.max(state.now, event.t_us)
    state.last = event
    return state
  }
  return change(state, event)
}

function change(state, event) {
  if (event.role === 'worker') {
    const worker = worker_of(state, event.pid)
    if (worker) worker.told = true
  }
  changes[event.ev](state, event)
  state.now = Math.max(state.now, event.t_us)
  state.last = event
  return state
}

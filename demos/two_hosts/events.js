// What happens on both hosts and to the clients, as one stream of events on stdout (two_hosts.js --json): the hosts' own --json, passed
// on as it comes, and beside it what nobody there can tell. tests/events/schema.json says what a line may be.
'use strict'

const now = () => Number(process.hrtime.bigint() / 1000n) // CLOCK_MONOTONIC, as theirs

class Events {
  next = new Map() // the number of a process's next event, by PID

  // Whoever read them has gone: `end` is called.
  constructor(end) {
    process.stdout.on('error', end)
    this.tell('start', { program: 'two_hosts' })
  }

  // One of us, who starts the hosts and asks them: a client.
  tell(ev, fields) {
    this.write({ pid: process.pid, role: 'client', slot: null, ev, ...fields })
  }

  // What this host tells from now on; and of its processes, when all are killed at once, what they could not.
  follow(host) {
    host.on('event', ({ pid, seq }, line) => {
      this.next.set(pid, seq + 1)
      process.stdout.write(`${line}\n`)
    })
    host.on('killed', () => {
      const main = { pid: host.main.pid, role: 'main', slot: null, host: host.name }
      for (const [worker_pid, worker] of host.places) this.write({ ...main, ev: 'worker_exit', worker, worker_pid, code: null, signal: 'SIGKILL' })
      this.write({ ...main, ev: 'stop', code: 128 + 9 }) // as a shell would say
    })
  }

  // What a request of ours met.
  answered({ status, error, by }) {
    if (by === undefined || status !== 200) this.tell('failed', { why: String(status ?? error) })
    else this.tell('answer', { by: by.split('/')[1], text: by })
  }

  write({ pid, role, slot, ev, ...fields }) {
    const seq = this.next.get(pid) ?? 0
    this.next.set(pid, seq + 1)
    process.stdout.write(`${JSON.stringify({ v: 1, seq, t_us: now(), pid, role, slot, ev, ...fields })}\n`)
  }
}

module.exports = { Events }

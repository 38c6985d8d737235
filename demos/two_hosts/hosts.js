// Two hosts on one machine, and a cable to each. A host is a network namespace (network_namespaces(7)): interfaces, addresses and ports
// of its own. This process has a namespace for itself, the proxy and the clients:
//
//     proxy, clients ── 10.0.1.1 ═══ cable (veth(4)) ═══ 10.0.1.2 ── host a: a main and its workers
//                    └─ 10.0.2.1 ═══════════════════════ 10.0.2.2 ── host b: the same
//
// Nothing has a name on the machine: a namespace is there as long as a process in it, and the kernel kills all of them when this process
// ends, however it does (PR_SET_PDEATHSIG). So nothing can be left, and any number of these can run side by side.
'use strict'
const { spawn } = require('child_process')
const { EventEmitter, once } = require('events')
const path = require('path')
const readline = require('readline')

const built = process.env.BUILD_FOLDER || path.join(__dirname, '../../build')
const on_port = 8080

// A program that does not outlive this process, in a session of its own: Ctrl-C is for this process alone.
function start(...command) {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` }
  return spawn('setpriv', ['--pdeathsig', 'KILL', ...command], { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env })
}

// What it prints. Throws what it complains of.
async function output_of(...command) {
  const child = start(...command)
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr']) child[stream].on('data', text => { said[stream] += text })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command.join(' ')}: ${said.stderr.trim() || `exit code ${code}`}`)
  return said.stdout
}

const lines_of = stream => readline.createInterface({ input: stream })

// Kills it unless it has gone.
function kill(pid) {
  try { process.kill(pid, 'SIGKILL') } catch (error) { if (error.code !== 'ESRCH') throw error }
}

const has_ended = child => child.exitCode !== null || child.signalCode !== null

async function end_of(child) {
  if (!has_ended(child)) await once(child, 'exit')
}

// Emits `event` with each line of --json, as an object and as text; and `killed`, when its processes are.
class Host extends EventEmitter {
  // `number`: of its network, 10.0.NUMBER.0.
  constructor(name, number) {
    super()
    Object.assign(this, { name, number, address: `10.0.${number}.2`, workers: [], places: new Map(), requests: [], dropped: 0 })
  }

  // The namespace and the cable. Throws what the kernel says when it does not allow that.
  async build() {
    this.holder = start('unshare', '--net', 'sh', '-c', 'ip link set lo up && echo up && exec sleep infinity')
    const why = []
    this.holder.stderr.on('data', text => why.push(text))
    const is_up = once(this.holder.stdout, 'data').then(() => true)
    if (!await Promise.race([is_up, once(this.holder, 'close').then(() => false)])) throw new Error(why.join('').trim())
    await output_of('ip', 'link', 'add', 'name', `to_${this.name}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(this.holder.pid))
    await output_of('ip', 'addr', 'add', `10.0.${this.number}.1/24`, 'dev', `to_${this.name}`)
    await output_of('ip', 'link', 'set', 'dev', `to_${this.name}`, 'up')
    await this.inside('ip', 'addr', 'add', `${this.address}/24`, 'dev', 'eth0')
    await this.plug()
  }

  there(...command) { return ['nsenter', `--net=/proc/${this.holder.pid}/ns/net`, ...command] }
  inside(...command) { return output_of(...this.there(...command)) }

  // At the host's end: what is sent to it from here on is lost, and nobody is told.
  pull() { return this.inside('ip', 'link', 'set', 'dev', 'eth0', 'down') }
  plug() { return this.inside('ip', 'link', 'set', 'dev', 'eth0', 'up') }

  // Starts the service; returns when it is ready. Each request that a worker gets is one of `requests`: {method, target, worker}.
  async serve(demo, ...flags) {
    this.main = start(...this.there(path.join(built, 'demos', demo), '--host', this.address, '--port', String(on_port), '--name', this.name, '--json', ...flags))
    this.workers = []
    this.places.clear() // by PID
    this.events_end = once(lines_of(this.main.stdout).on('line', line => this.take(line)), 'close')
    const said = lines_of(this.main.stderr)
    const all_said = []
    const is_ready = new Promise(resolve => said.on('line', line => {
      all_said.push(line)
      if (!line.startsWith('listening on ')) return
      for (const pid of line.match(/, workers ([\d ]+)/)[1].trim().split(' ')) this.meet(Number(pid))
      resolve(true)
    }))
    if (!await Promise.race([is_ready, once(said, 'close').then(() => false)])) throw new Error(`host ${this.name}: ${demo} does not start:\n${all_said.join('\n')}`)
  }

  // Two streams tell of the first workers.
  meet(worker) { if (!this.workers.includes(worker)) this.workers.push(worker) }

  take(line) {
    let event
    try { event = JSON.parse(line) } catch { return } // who was killed may have been in the midst of it
    this.emit('event', event, line)
    if (event.ev === 'worker_up') {
      this.meet(event.worker_pid)
      this.places.set(event.worker_pid, event.worker)
    }
    if (event.ev === 'worker_exit') {
      this.workers = this.workers.filter(pid => pid !== event.worker_pid)
      this.places.delete(event.worker_pid)
    }
    if (event.ev === 'request') this.requests.push({ method: event.method, target: event.target, worker: event.pid })
    if (event.ev === 'dropped') this.dropped += event.count
  }

  // As if the machine had lost its power: no process there says goodbye.
  async kill() {
    for (const pid of [this.main.pid, ...this.workers]) kill(pid)
    await Promise.all([end_of(this.main), this.events_end])
    this.emit('killed')
  }

  // Ctrl-C; returns when the last process has gone, and all that it had to say has been read.
  async stop() {
    if (this.main && !has_ended(this.main)) {
      this.main.kill('SIGTERM')
      const late = setTimeout(() => this.main.kill('SIGKILL'), 10000)
      await Promise.all([end_of(this.main), this.events_end])
      clearTimeout(late)
    }
    if (!this.holder || has_ended(this.holder)) return
    await output_of('ip', 'link', 'del', 'dev', `to_${this.name}`).catch(() => {}) // else the kernel does it, but later
    kill(this.holder.pid)
    await end_of(this.holder)
  }
}

module.exports = { Host, built, end_of, has_ended, lines_of, output_of, start }

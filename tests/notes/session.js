// A reader at the terminals: runs commands as typed, on a port of its own, and knows every process they start.
'use strict'
const child_process = require('child_process')
const fs = require('fs')
const net = require('net')
const os = require('os')
const path = require('path')

const programs = /(?<=^|[\s;&|(])(?:build\/demos\/(?:socket_fanout|server_handoff|(?:http_)?cluster)|build\/clients\/\w+|node (?:--\S+ )?tests\/interop\/node\/(?:\w+\/(?:cluster_)?main|\w+_client)\.js)(?=$|[\s;&|)])/g

const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

function can_listen(port, host) {
  return new Promise(resolve => {
    const server = net.createServer().once('error', error => resolve(error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT'))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

// Whether a process that starts soon may have this number: who reads a transcript could not tell it from the port.
function may_be_a_pid(number) {
  const pid_max = Number(fs.readFileSync('/proc/sys/kernel/pid_max', 'utf8'))
  return (number + 1 - process.pid + pid_max) % pid_max < 8000
}

// A port that is free, and the next one too, below those that the kernel gives to clients.
async function free_port() {
  for (;;) {
    const port = 10000 + 2 * Math.floor(Math.random() * 10000)
    if (!may_be_a_pid(port) && await can_listen(port, '0.0.0.0') && await can_listen(port, '::') && await can_listen(port + 1, '0.0.0.0')) return port
  }
}

function children_of(pid) {
  try {
    return fs.readdirSync(`/proc/${pid}/task`).flatMap(task =>
      fs.readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number))
  } catch { return [] } // it has ended
}

function is_running(pid) {
  try { return !/^\d+ \(.*\) [ZX]/s.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8')) } catch { return false }
}

// One command, on a terminal of its own.
class Command {
  constructor(typed, started) {
    this.typed = typed
    this.pid = started.pid
    this.lines = []
    this.exit = null // its exit code, once it has ended
    this.last_output = Date.now()
    let rest = ''
    started.stdout.setEncoding('utf8').on('data', data => {
      this.last_output = Date.now()
      const parts = (rest + data).split('\n')
      rest = parts.pop()
      this.lines.push(...parts)
    })
    const end = (code, signal) => {
      if (this.exit !== null) return
      if (rest) this.lines.push(rest)
      this.exit = signal ? 128 + os.constants.signals[signal] : code
    }
    started.on('close', end) // everything it said has been read
    started.on('exit', (...how) => setTimeout(end, 1000, ...how).unref()) // a process that it left behind may hold the pipe
  }

  // What strace has written about it, when it is traced.
  traced() {
    return this.trace_file && fs.existsSync(this.trace_file) ? fs.readFileSync(this.trace_file, 'utf8').split('\n').slice(0, -1) : []
  }

  signal(name) { // as the terminal does: to all of the foreground
    try { process.kill(-this.pid, name) } catch (error) { if (error.code !== 'ESRCH') throw error }
  }
}

class Session {
  constructor(root, options = {}) {
    this.root = root
    this.environment = options.environment ?? {}
    this.patience = options.patience ?? 3000 // milliseconds, for what a command leaves behind to end by itself
    this.workers = [] // PIDs by slot, from the latest ready line
    this.processes = new Set() // all PIDs that have belonged to this session
    this.commands = []
  }

  // Runs `typed` with the session's port in the place of 8888. strace gets a file to write to, because on a terminal its
  // lines and those of the programs run into each other.
  async start(typed) {
    this.port ??= await free_port()
    const names_port = /\s(?:--port|-p)\b/.test(typed)
    const trace_file = /\bstrace /.test(typed) && !/ -o\b/.test(typed) && path.join(os.tmpdir(), `trace-${process.pid}-${this.port}-${this.commands.length}`)
    const command = (names_port ? typed : typed.replace(programs, `$& --port ${this.port}`))
      .replace(/\b8888\b/g, this.port).replace(/\b8889\b/g, this.port + 1)
    const traced = trace_file ? command.replace(/\bstrace /, `$&-o ${trace_file} `) : command
    const started = child_process.spawn('bash', ['-c', `exec 2>&1\n${traced}`],
      { cwd: this.root, detached: true, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, LC_ALL: 'C.UTF-8', LANGUAGE: '', ...this.environment } })
    const result = Object.assign(new Command(typed, started), { trace_file })
    this.commands.push(result)
    this.watch ??= setInterval(() => this.look(), 10)
    this.look()
    return result
  }

  look() {
    const pending = this.commands.filter(command => command.exit === null).map(command => command.pid)
    while (pending.length) {
      const pid = pending.pop()
      this.processes.add(pid)
      pending.push(...children_of(pid))
    }
    for (const command of this.commands)
      for (const line of command.lines) {
        const ready = line.match(/^listening on .*, workers((?: \d+)+);/)
        if (ready) this.workers = ready[1].trim().split(' ').map(Number)
      }
  }

  // Is this the PID of a process of the session? One that has come and gone between two looks counts when its PID was given
  // out in the session's time.
  started(pid) {
    if (this.processes.has(pid)) return true
    const first = this.commands[0].pid, last = child_process.spawnSync('true').pid
    return !is_running(pid) && (first <= last ? first <= pid && pid <= last : pid >= first || pid <= last)
  }

  // Until `condition` holds or the time is over.
  async until(condition, milliseconds) {
    const end = Date.now() + milliseconds
    while (!condition()) {
      if (Date.now() > end) return false
      await sleep(5)
    }
    return true
  }

  // Stops what still runs. Returns the PIDs of processes that did not end with it.
  async end() {
    const running = this.commands.filter(command => command.exit === null)
    this.look()
    for (const command of running) command.signal('SIGINT')
    await this.until(() => this.commands.every(command => command.exit !== null), 5000)
    await this.until(() => ![...this.processes].some(is_running), this.patience)
    clearInterval(this.watch)
    for (const { trace_file } of this.commands) if (trace_file) fs.rmSync(trace_file, { force: true })
    const left = [...this.processes].filter(is_running)
    for (const pid of left) try { process.kill(pid, 'SIGKILL') } catch { /* it has ended meanwhile */ }
    return left
  }
}

module.exports = { Session, free_port, is_running, sleep }

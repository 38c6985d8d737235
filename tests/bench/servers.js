// The programs that are measured: how each is started, and what /proc says of it.
'use strict'

const fs = require('fs')
const net = require('net')
const path = require('path')
const { once } = require('events')
const { spawn } = require('child_process')
const { command_of } = require('../support/shell.js')

const root = path.resolve(__dirname, '../..')
const build = process.env.BUILD_FOLDER ?? path.join(root, 'build')
process.env.PATH += ':/usr/sbin' // where Debian has nginx
const scratch = path.join(build, 'bench')
const here = name => path.join(build, 'tests/bench', name)
const node = script => [process.execPath, path.join(root, 'tests/interop/node', script)]

// Commands, by what they serve and who serves it. All of them end up printing a ready line, but for
// nginx, which has no such thing.
const demo = (name, ...flags) => workers =>
  [path.join(build, 'demos', name), '--port', '0', '--workers', workers, ...flags]
const counterpart = (script, ...flags) => workers =>
  [...node(script), '--port', '0', '--workers', workers, ...flags]
const floor = mode => workers => [here('bench_floor'), mode, workers]
const http = {
  ours: demo('http_cluster'),
  floor: floor('keep-alive'),
  nginx: nginxCommand,
  node: counterpart('http_cluster/main.js'),
  node_cluster: counterpart('http_cluster/cluster_main.js')
}
const commands = {
  keep_alive: http,
  close: { ours: http.ours, exclusive: demo('http_cluster', '--accept', 'exclusive'), ...http, floor: floor('close') },
  fanout: {
    ours: demo('socket_fanout', '--quiet', '--delay', '0'),
    floor: workers => [here('bench_hand_over_floor'), workers],
    node: counterpart('socket_fanout/main.js', '--quiet', '--delay', '0')
  },
  handoff: {
    ours: demo('server_handoff', '--delay', '0'),
    exclusive: demo('server_handoff', '--delay', '0', '--accept', 'exclusive'),
    floor: floor('greet'),
    node: counterpart('server_handoff/main.js', '--delay', '0')
  },
  // Node's cluster and ours, and each with the other's workers.
  cluster: {
    ours: demo('cluster'),
    shared: demo('cluster', '--policy', 'shared'),
    least_busy: demo('cluster', '--policy', 'least_busy'),
    floor: floor('close'),
    node: counterpart('cluster/main.js'),
    node_shared: workers => ['env', 'NODE_CLUSTER_SCHED_POLICY=none', ...counterpart('cluster/main.js')(workers)],
    node_primary: counterpart('cluster/main.js', '--child', path.join(build, 'demos/cluster_child')),
    node_workers: demo('cluster', '--host', '127.0.0.1', '--child', command_of(node('cluster/child.js')))
  },
  accept: Object.fromEntries(['race', 'exclusive'].map(how =>
    [how, demo('server_handoff', '--delay', '0', '--accept', how)])),
  answers: {
    http_cluster: demo('http_cluster'),
    server_handoff: demo('server_handoff'),
    node_http: counterpart('http_cluster/main.js'),
    node_net: counterpart('server_handoff/main.js')
  },
  sharing: Object.fromEntries(['shared', 'exclusive', 'reuseport', 'blocking', 'in_turn'].map(mode =>
    [mode, workers => [here('bench_sharing'), mode, workers]]))
}

async function freePort () {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

// The same answer as the others give, no log, and no limit on the requests of one connection.
async function nginxCommand (workers) {
  const port = await freePort()
  const prefix = fs.mkdtempSync(path.join(scratch, 'nginx-'))
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map(name => `${name}_temp_path ${prefix}/${name};`).join(' ')
  fs.writeFileSync(path.join(prefix, 'nginx.conf'), `
daemon off;
worker_processes ${workers};
pid ${prefix}/pid;
error_log stderr;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000000;
    ${paths}
    server {
        listen 127.0.0.1:${port};
        location / { default_type text/plain; return 200 "Request handled by worker-$pid"; }
    }
}
`)
  const command = ['nginx', '-p', prefix, '-c', path.join(prefix, 'nginx.conf'), '-e', 'stderr']
  return Object.assign(command, { port, prefix })
}

// Numbers of a process and its descendants.
function tree (pid) {
  const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return [pid, ...children.split(' ').filter(Boolean).flatMap(child => tree(Number(child)))]
}

// Their folders in /proc.
function threads (pid) {
  return fs.readdirSync(`/proc/${pid}/task`).map(thread => `/proc/${pid}/task/${thread}`)
}

const running = new Set()
process.on('exit', () => { for (const server of running) server.process.kill('SIGKILL') })
for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15]]) process.on(signal, () => process.exit(128 + number))

class Server {
  // Resolves when it is ready, with `readyAfter` in milliseconds. What it prints on stdout is thrown
  // away, so that nobody has to read it, unless the caller wants it back from stop().
  static async start (command, { stdout = 'ignore' } = {}) {
    const server = new Server()
    command = await command
    server.name = command.join(' ')
    server.began = performance.now()
    server.process = spawn(command[0], command.slice(1).map(String), { stdio: ['ignore', stdout, 'pipe'] })
    running.add(server)
    server.ended = new Promise(resolve => server.process.on('close', resolve)).then(() => {
      running.delete(server)
      if (command.prefix) fs.rmSync(command.prefix, { recursive: true })
    })
    server.stdout = server.stderr = ''
    server.process.stdout?.on('data', data => { server.stdout += data })
    await new Promise((resolve, reject) => {
      server.process.on('error', reject)
      server.process.on('exit', () => reject(new Error(`${server.name} ended:\n${server.stderr}`)))
      server.process.stderr.on('data', data => {
        server.stderr = (server.stderr + data).slice(-4096)
        const ready = /^listening on .*:(\d+), workers([ \d]+)/m.exec(server.stderr)
        if (ready) {
          server.readyAfter = performance.now() - server.began
          server.port = Number(ready[1])
          server.workers = ready[2].trim().split(' ').map(Number)
          resolve()
        }
      })
      if (command.port) server.untilListening(command.port).then(resolve, reject)
    })
    return server
  }

  async untilListening (port) {
    for (let attempt = 0; attempt < 500; attempt++) {
      const socket = net.connect(port, '127.0.0.1')
      const connected = await once(socket, 'connect').then(() => true, () => false)
      socket.destroy()
      this.workers = tree(this.process.pid).slice(1)
      this.port = port
      if (connected && this.workers.length) return
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    throw new Error(`${this.name} does not listen`)
  }

  // Milliseconds from its start until somebody has answered a request.
  async firstAnswer () {
    const socket = net.connect(this.port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    await once(socket, 'data')
    const time = performance.now() - this.began
    socket.destroy()
    return time
  }

  get processes () { return tree(this.process.pid) }

  threads () { return this.processes.flatMap(threads) }

  // Nanoseconds on a processor so far, of all threads of all its processes. From schedstat, because
  // the times in stat are counted in hundredths of a second.
  cpuTime () {
    const time = this.threads()
      .map(thread => Number(fs.readFileSync(`${thread}/schedstat`, 'utf8').split(' ')[0]))
    return time.reduce((sum, value) => sum + value, 0)
  }

  // How often they have gone to sleep so far: "voluntary" context switches.
  sleeps () { return this.count(/^voluntary_ctxt_switches:\s*(\d+)/gm) }

  // The same, and how often another was put in their place.
  switches () { return this.count(/^(?:non)?voluntary_ctxt_switches:\s*(\d+)/gm) }

  count (pattern) {
    const counts = this.threads().flatMap(thread => [...fs.readFileSync(`${thread}/status`, 'utf8').matchAll(pattern)])
    return counts.reduce((sum, [, value]) => sum + Number(value), 0)
  }

  // KiB of memory per worker, each shared page divided by the number of those who share it.
  memory () {
    const sizes = this.workers
      .map(pid => Number(/^Pss:\s*(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]))
    return sizes.reduce((sum, value) => sum + value, 0) / sizes.length
  }

  async stop () {
    this.process.removeAllListeners('exit')
    this.process.kill('SIGTERM')
    const limit = setTimeout(() => this.process.kill('SIGKILL'), 10000)
    await this.ended
    clearTimeout(limit)
    return this.stdout
  }
}

module.exports = { Server, build, threads, commands, here, root, scratch }

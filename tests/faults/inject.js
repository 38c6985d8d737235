// Each system call that a main or a worker makes once its own main has begun is refused, with each error that it can
// return, the first time and later, while a few clients come: does the process go on, or end with one clear line?
// Does everybody get an answer or a closed connection, is no descriptor and no process left behind?
//
//     node tests/faults/inject.js [--seconds N] [WORD...]     cases whose name has all these words: http_cluster child accept4
//
// strace(1) does it: -e inject=CALL:error=E:when=N. Exit code 1 when a case is not as it should be, 77 where tracing is
// not allowed.
'use strict'
const { spawn, spawnSync } = require('child_process')
const fs = require('fs')
const net = require('net')
const os = require('os')
const path = require('path')
const { command_of, quoted } = require('../support/shell.js')

const programs = path.join(process.env.BUILD_FOLDER || path.join(__dirname, '../../build'), 'demos')

// What each may return, by its manual page. Not here: calls that cannot fail; close, munmap, futex and exit, about whose
// failure nobody could do anything; mistakes of ours (EBADF, EINVAL); EAGAIN of what is ready, after which nobody would be
// woken; and that the other end of a channel has gone (EPIPE, ECONNRESET) while it is there: ./run chaos has it go.
const no_descriptor = ['EMFILE', 'ENFILE']
const errors = {
  accept4: [...no_descriptor, 'ENOMEM', 'ENOBUFS', 'ECONNABORTED', 'EINTR', 'EPERM', 'EPROTO'],
  bind: ['EACCES', 'EADDRINUSE', 'EADDRNOTAVAIL'],
  clone: ['EAGAIN', 'ENOMEM'], // fork
  clone3: ['EAGAIN', 'ENOMEM'], // a thread
  dup: ['EMFILE'],
  epoll_create1: [...no_descriptor, 'ENOMEM'],
  'epoll_ctl ADD,\\s\\d+<(?!pipe).*PRI|events=0': ['ENOMEM', 'ENOSPC'], // Asio does not look whether its timer, waker and signal pipe are watched
  epoll_wait: ['EINTR'],
  eventfd2: [...no_descriptor, 'ENOMEM'], // Asio then takes a pipe: one descriptor more
  'fcntl F_DUPFD': ['EMFILE'],
  getpeername: ['ENOBUFS', 'ENOTCONN'],
  getsockname: ['ENOBUFS'],
  getsockopt: ['ENOMEM'],
  listen: ['EADDRINUSE'],
  mmap: ['ENOMEM'],
  mprotect: ['ENOMEM'],
  newfstatat: ['EACCES', 'ENOMEM'],
  openat: [...no_descriptor, 'EACCES', 'ENOMEM'],
  pidfd_open: [...no_descriptor, 'ENOMEM'],
  pidfd_send_signal: ['EPERM'],
  pipe2: no_descriptor,
  poll: ['EINTR', 'ENOMEM'],
  readlink: ['EACCES', 'ENOMEM'],
  recvfrom: ['ECONNRESET', 'EINTR', 'ENOMEM'],
  recvmsg: ['EINTR', 'ENOMEM'],
  sendmsg: ['EINTR', 'ENOBUFS', 'ENOMEM', 'ETOOMANYREFS'],
  sendto: ['ECONNRESET', 'EINTR', 'ENOBUFS', 'ENOMEM', 'EPIPE'],
  setsockopt: ['ENOBUFS', 'ENOMEM'],
  shutdown: ['ENOBUFS', 'ENOTCONN'],
  socket: [...no_descriptor, 'EACCES', 'EAFNOSUPPORT', 'ENOBUFS', 'ENOMEM'],
  socketpair: [...no_descriptor, 'ENOMEM'],
  timerfd_create: [...no_descriptor, 'ENOMEM'],
  waitid: ['EINTR'],
  'write ^write.1,': ['EINTR', 'EIO', 'ENOSPC', 'EPIPE'],
  'write ^write.2,': ['EINTR', 'EIO', 'ENOSPC', 'EPIPE'] // not what wakes: an eventfd, or the pipe of a signal handler, has room
}

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
const within = (ms, promise, otherwise) => Promise.race([promise, sleep(ms).then(() => otherwise)])

async function until(ms, condition) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(10)) if (await condition()) return true
  return condition()
}

// ---- the scene: a demo, its clients, its end

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'inject.'))
const workers = 3
const http = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
const scenes = [
  { name: 'socket_fanout', answer: /子进程：\d+/ },
  { name: 'socket_fanout all', options: ['--mode', 'all'], answer: /子进程：\d+/ },
  { name: 'server_handoff', answer: /子进程：\d+/ },
  { name: 'http_cluster', request: http, answer: /worker-\d+/ },
  { name: 'cluster', request: http, answer: /worker-\d+/ }
]

// One client: 'answered', 'closed' (or refused), or 'hung'.
function ask(scene, port) {
  return new Promise(resolve => {
    let answer = ''
    const socket = net.connect(port, '127.0.0.1', () => { if (scene.request) socket.write(scene.request) })
    const end = how => { resolve(how); socket.destroy() }
    socket.on('data', data => { answer += data })
    socket.on('error', () => {})
    socket.on('close', () => end(scene.answer.test(answer) ? 'answered' : 'closed'))
    setTimeout(end, 4000, 'hung').unref()
  })
}

// Processes that carry this mark in their environment: all that a scene has started.
function marked(mark) {
  return fs.readdirSync('/proc').filter(pid => {
    try { return /^\d+$/.test(pid) && fs.readFileSync(`/proc/${pid}/environ`).includes(`INJECT_SCENE=${mark}\0`) } catch { return false }
  }).map(Number)
}

const name_of = pid => { try { return fs.readFileSync(`/proc/${pid}/comm`, 'utf8').trim() } catch { return 'ended' } }
const descriptors_of = pid => { try { return fs.readdirSync(`/proc/${pid}/fd`).length } catch { return 0 } }

// strace in front of a program: -DDD, so that the program has the PID, the parent and the descriptors that it would have without.
const traced = (log, words) => ['strace', '-DDD', '-qq', '-y', '-o', log, ...words]

let count = 0
// Plays a scene, `strace` in front of its main or of its first child. What was noticed, all of it.
async function play(scene, side, strace, settled) {
  const mark = `${process.pid}.${++count}`
  const log = path.join(scratch, mark)
  const demo = path.join(programs, scene.name.split(' ')[0])
  const child = `${demo}_child`
  const command = [demo, '--port', '0', '--workers', String(workers), '--ack-timeout', '1000', '--quiet', ...(scene.options ?? [])]
  if (side === 'main') command.unshift(...traced(log, strace))
  else command.push('--child', command_of([...traced(log, strace), child]), '--child', quoted(child), '--child', quoted(child))

  const main = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, INJECT_SCENE: mark } })
  const seen = { main: main.pid, stderr: '', clients: [], descriptors: {}, log }
  main.stdout.resume()
  main.stderr.on('data', data => { seen.stderr += data })
  let ended = false
  const end = new Promise(resolve => main.once('exit', (code, signal) => { ended = true; resolve(signal ?? code) }))

  const port = () => seen.stderr.match(/^listening on .*:(\d+), workers/m)?.[1]
  seen.ready = await until(8000, () => port() || ended) && Boolean(port())
  if (!seen.ready && !ended) seen.stuck = 'neither ready nor ended after 8 s'
  if (seen.ready) {
    seen.clients = await Promise.all(Array.from({ length: 2 * workers }, () => ask(scene, port())))
    if (!ended) await until(3000, async () => ended || (seen.later = await ask(scene, port())) === 'answered')
    // What is open when the clients have gone is what it needs, or a leak: not more than it was without the fault.
    const count_all = () => Object.fromEntries(marked(mark).filter(pid => name_of(pid) !== 'strace').map(pid => [pid, descriptors_of(pid)]))
    await until(3000, () => { seen.descriptors = count_all(); return settled(seen) })
  }
  main.kill('SIGTERM')
  seen.exit = await within(6000, end, 'still there 6 s after SIGTERM')
  main.kill('SIGKILL')
  seen.orphans = await until(1500, () => !marked(mark).length) ? [] : marked(mark).map(name_of)
  for (const pid of marked(mark)) try { process.kill(pid, 'SIGKILL') } catch {}
  return seen
}

module.exports = { play, scenes }

// ---- which calls, and how often

// For each of `errors`, the how manieth of its calls one is, counted from the start of the process, of those that are made
// once main has begun. The last call of the loader is the munmap of its cache. `fcntl F_DUPFD` is a call of fcntl whose line matches that.
function calls_of(log) {
  const made = {}, found = {}
  let begun = false
  for (const line of fs.readFileSync(log, 'utf8').split('\n')) {
    const call = line.match(/^(\w+)\(/)?.[1]
    if (!call) continue
    made[call] = (made[call] ?? 0) + 1
    for (const name of begun ? Object.keys(errors) : []) {
      const [wanted, pattern = ''] = name.split(' ')
      if (call === wanted && RegExp(pattern).test(line)) (found[name] ??= []).push(made[call])
    }
    begun ||= call === 'munmap'
  }
  return found
}

function cases_of(scene, side, calls) {
  return Object.entries(calls).flatMap(([call, times]) => [...new Set([0, 1, times.length >> 1, times.length - 1])].filter(i => i < times.length)
    .flatMap(i => errors[call].map(error => ({
      scene, side, call, error, when: times[i], name: `${scene.name} ${side}: ${call} ${error}, ${i + 1} of ${times.length}`
    }))))
}

// Descriptors that are open in a process and were not without the fault: {pid: sentence}.
function leaks(seen, usual) {
  return Object.entries(seen.descriptors).flatMap(([pid, number]) => {
    const [who, most] = Number(pid) === seen.main ? ['the main', usual.main] : ['a worker', usual.worker]
    return number > most ? [`${number} descriptors are open in ${who} when the clients have gone, ${most} without the fault`] : []
  })
}

// What is wrong with what was seen; most of all nothing.
function judge(seen, usual) {
  const wrong = leaks(seen, usual)
  const said = seen.stderr.split('\n').filter(line => line && !/^listening on |^stopping: /.test(line))
  if (seen.stuck) wrong.push(seen.stuck)
  if (/terminate called|AddressSanitizer|runtime error/.test(seen.stderr)) wrong.push('an exception that nobody has caught')
  if (![0, 1, 3].includes(seen.exit)) wrong.push(`its main: ${seen.exit}`)
  if (seen.exit !== 0 && !said.length) wrong.push(`exit code ${seen.exit}, and not a word why`)
  if (said.length > 12) wrong.push(`${said.length} lines`)
  if (seen.clients.includes('hung')) wrong.push(`${seen.clients.filter(how => how === 'hung').length} clients hang`)
  if (seen.ready && seen.later !== 'answered' && seen.exit === 0) wrong.push(`goes on, and answers nobody: ${seen.later}`)
  if (seen.orphans.length) wrong.push(`left behind: ${seen.orphans.join(', ')}`)
  return { wrong, said }
}

async function main(words) {
  let seconds = Infinity
  if (words[0] === '--seconds') seconds = Number(words.splice(0, 2)[1])
  if (spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status !== 0) {
    console.log('Tracing is not allowed here (strace true), so nothing can be injected.')
    return 77
  }

  const all = []
  for (const scene of scenes) {
    for (const side of ['main', 'child']) {
      const counted = []
      const seen = await play(scene, side, [], ({ descriptors }) => { // until they stay the same for a while
        counted.unshift(JSON.stringify(descriptors))
        return counted.length > 30 && counted.slice(0, 30).every(now => now === counted[0])
      })
      const of_workers = Object.entries(seen.descriptors).filter(([pid]) => Number(pid) !== seen.main).map(([, number]) => number)
      scene.usual = { main: Math.max(scene.usual?.main ?? 0, seen.descriptors[seen.main]), worker: Math.max(scene.usual?.worker ?? 0, ...of_workers) }
      const { wrong, said } = judge(seen, scene.usual)
      if (wrong.length || said.length || seen.clients.some(how => how !== 'answered')) throw new Error(`${scene.name} without any fault: ${JSON.stringify(seen)}`)
      all.push(...cases_of(scene, side, calls_of(seen.log)))
    }
  }
  const chosen = all.filter(({ name }) => words.every(word => name.includes(word)))
  // Widely spread first, for those who stop early: each call once, then each once more.
  const turn = new Map()
  const key = one => `${one.scene.name} ${one.side} ${one.call}`
  for (const one of chosen) { one.turn = turn.get(key(one)) ?? 0; turn.set(key(one), one.turn + 1) }
  chosen.sort((a, b) => a.turn - b.turn)

  const began = Date.now()
  let tried = 0, missed = 0, failed = 0
  async function lane() {
    while (chosen.length && Date.now() - began < seconds * 1000) {
      const one = chosen.shift()
      const [call, pattern = ''] = one.call.split(' ')
      const more = call === 'eventfd2' ? 1 : 0
      const usual = { main: one.scene.usual.main + more, worker: one.scene.usual.worker + more }
      const seen = await play(one.scene, one.side, ['-e', `trace=${call}`, '-e', `inject=${call}:error=${one.error}:when=${one.when}`],
        seen => !leaks(seen, usual).length)
      // Once clients come, no two runs make the same calls in the same order: was it the one that was meant?
      const log = fs.existsSync(seen.log) ? fs.readFileSync(seen.log, 'utf8').split('\n') : []
      if (!log.some(line => line.endsWith('(INJECTED)') && RegExp(pattern).test(line))) { missed++; continue }
      const { wrong, said } = judge(seen, usual)
      tried++
      if (wrong.length) failed++
      if (wrong.length || process.env.INJECT_TELL) console.log([`${wrong.length ? 'WRONG ' : 'ok    '} ${one.name}: ${wrong.join('; ')}`, ...said.map(line => `    ${line}`)].join('\n'))
    }
  }
  await Promise.all([lane(), lane()])
  console.log(`${tried} of ${tried + missed + chosen.length} system calls refused${missed ? `, ${missed} not made this time` : ''}; ${failed} times not as it should be.`)
  return failed ? 1 : 0
}

main(process.argv.slice(2)).then(code => { fs.rmSync(scratch, { recursive: true }); process.exit(code) })

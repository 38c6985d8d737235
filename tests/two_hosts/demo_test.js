// ./run two_hosts: what it prints, and that nothing is left however it ends.
'use strict'
const assert = require('assert')
const { spawn, spawnSync } = require('child_process')
const { once } = require('events')
const fs = require('fs')
const path = require('path')
const { test } = require('node:test')

const { expect_whole, parse } = require('../events/recorded.js')

const top = path.join(__dirname, '../..')

class Demo {
  constructor(...words) {
    this.process = spawn('unshare', ['--net', process.execPath, path.join(top, 'demos/two_hosts/two_hosts.js'), ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.out = this.err = ''
    this.process.stdout.on('data', text => { this.out += text })
    this.process.stderr.on('data', text => { this.err += text })
    this.end = once(this.process, 'close').then(([code, signal]) => code ?? signal)
  }

  // Its family when it serves.
  async has_begun() {
    await this.says('proxy: haproxy on ')
    return family(this.process.pid)
  }

  async says(text) {
    while (!this.out.includes(text)) {
      assert.strictEqual(this.process.exitCode, null, this.err)
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }
}

const namespace_of = pid => { try { return fs.readlinkSync(`/proc/${pid}/ns/net`) } catch { return undefined } }
const processes = () => fs.readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number)

// The descendants of a process, and their namespaces but ours.
function family(pid) {
  const parent = child => { try { return Number(fs.readFileSync(`/proc/${child}/stat`, 'utf8').match(/\) \w (\d+)/)[1]) } catch { return 0 } }
  const of = processes().map(child => [child, parent(child)])
  const pids = [pid]
  for (const one of pids) pids.push(...of.filter(([, its]) => its === one).map(([child]) => child))
  return { pids, namespaces: new Set(pids.map(namespace_of)) }
}

// Eventually: the kernel has been told to kill them, and does so in its own time.
async function nothing_is_left({ pids, namespaces }) {
  assert(pids.length >= 10, 'two holders, a proxy, two mains with two workers, and this')
  assert.strictEqual(namespaces.size, 3)
  const left = () => processes().filter(pid => namespaces.has(namespace_of(pid)))
  for (const limit = performance.now() + 5000; left().length && performance.now() < limit;) await new Promise(resolve => setTimeout(resolve, 10))
  assert.deepStrictEqual(left(), [])
}

// They take ten seconds each, beside each other.
let told

test('says in each step who answered, what failed and how long it took', async () => {
  told = { demo: new Demo('--json') }
  told.family = told.demo.has_begun()
  const demo = new Demo()
  assert.strictEqual(await demo.end, 0, demo.out + demo.err)
  assert.strictEqual(demo.err, '')
  const steps = demo.out.split(/\n(?=\d\. )/).slice(1)
  assert.strictEqual(steps.length, 6)
  const a_answers = [true, true, false, true, false, true]
  for (const [i, step] of steps.entries()) {
    assert.match(step, /^ {2}b answered +[1-9]\d* +worker \d+: \d+/m)
    assert.match(step, a_answers[i] ? /^ {2}a answered +[1-9]\d* +worker \d+: \d+/m : /^ {2}a answered +\d+/m)
    assert.match(step, /^ {2}GET {2}failed +0 +of [1-9]\d*$/m)
    assert.match(step, /^ {2}POST failed +\d+ +of [1-9]\d*/m)
    assert.match(step, /^ {2}worst +\d+ ms$/m)
    assert.match(step, /^ {2}http_client --count 4: ([ab]\/\d+ ?){4}$/m)
  }
  assert.match(demo.out, /\nIn all: 0 GETs failed; 0 POSTs reached two workers\.\n$/)
})

test('with --json it tells what happens on both hosts, event by event, and also of those who could not', async () => {
  const { demo } = told
  const { pids } = await told.family
  assert.strictEqual(await demo.end, 0, demo.err)
  assert.strictEqual(demo.err, '')
  const events = parse(demo.out)
  expect_whole(events)
  const of = (host, ...names) => events.filter(one => one.host === host && names.includes(one.ev))
  for (const host of ['a', 'b']) assert.ok(of(host, 'request').length > 50 && of(host, 'response').length > 50)
  const killed = of('a', 'stop').find(one => one.code === 137)
  assert.ok(pids.includes(killed.pid), 'the first main of host a')
  assert.deepStrictEqual(of('a', 'worker_exit').filter(one => one.pid === killed.pid).map(one => one.signal), ['SIGKILL', 'SIGKILL', 'SIGKILL'], 'one of step 2, and two')
  assert.deepStrictEqual(of('b', 'stop').map(one => one.code), [0])
  const own = events.filter(one => one.role === 'client')
  assert.deepStrictEqual([own[0].program, own.at(-1).ev, own.at(-1).code], ['two_hosts', 'stop', 0])
  assert.match(own.findLast(one => one.ev === 'line').text, /^In all: 0 GETs failed; 0 POSTs reached two workers\.$/)
  const answered = own.filter(one => one.ev === 'answer')
  const workers = new Set(events.filter(one => one.ev === 'worker_up').map(one => String(one.worker_pid)))
  assert.ok(answered.length > 100 && answered.every(one => workers.has(one.by)))
})

test('whoever reads its events may go, and nothing is left', async () => {
  const demo = new Demo('stay', '--json')
  const all = await demo.has_begun()
  demo.process.stdout.destroy()
  assert.strictEqual(await demo.end, 0, demo.err)
  await nothing_is_left(all)
})

test('two at once do not disturb each other, and Ctrl-C and SIGTERM leave nothing', async () => {
  const demos = [new Demo(), new Demo()]
  for (const demo of demos) await demo.says('\n1. ')
  const families = demos.map(demo => family(demo.process.pid))
  demos[0].process.kill('SIGINT')
  assert.strictEqual(await demos[0].end, 130, demos[0].err)
  await nothing_is_left(families[0])
  await demos[1].says('\n  http_client ')
  demos[1].process.kill('SIGTERM')
  assert.strictEqual(await demos[1].end, 143, demos[1].err)
  await nothing_is_left(families[1])
})

test('nor does a kill', async () => {
  const demo = new Demo()
  await demo.says('\n1. ')
  const all = family(demo.process.pid)
  demo.process.kill('SIGKILL')
  assert.strictEqual(await demo.end, 'SIGKILL')
  await nothing_is_left(all)
})

test('a proxy that dies is a failure, and leaves nothing', async () => {
  const demo = new Demo()
  await demo.says('\n1. ')
  const all = family(demo.process.pid)
  process.kill(Number(demo.out.match(/haproxy .* PID (\d+)/)[1]), 'SIGKILL')
  assert.strictEqual(await demo.end, 1, demo.out)
  assert.match(demo.err, /^two_hosts: haproxy has ended\n$/)
  await nothing_is_left(all)
})

test('it stays, for whoever wants to try by hand', async () => {
  const demo = new Demo('stay')
  await demo.says('who listens on host a\n')
  const all = family(demo.process.pid)
  const typed = part => demo.out.split('\n').find(line => line.includes(part)).trim().split('  ')[0].split(' ')
  const run = ([program, ...words]) => spawnSync(program, words, { cwd: top, encoding: 'utf8' })
  assert.match(run(typed('curl -i')).stdout, /^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)*served-by: [ab]\/\d+\r\n/i)
  for (const part of ['kill -9', 'link set']) assert.strictEqual(run(typed(part)).status, 0)
  await demo.says('proxy: Server hosts/a is DOWN')
  assert.strictEqual(run(typed('http_client')).status, 0)
  demo.process.kill('SIGINT')
  assert.strictEqual(await demo.end, 130, demo.err)
  await nothing_is_left(all)
})

test('without the right to make a network namespace it says so in a line, with the reason', () => {
  const { status, stdout, stderr } = spawnSync('setpriv', ['--bounding-set=-sys_admin', '--inh-caps=-sys_admin', path.join(top, 'run'), 'two_hosts'], { encoding: 'utf8' })
  assert.strictEqual(status, 3, stderr)
  assert.strictEqual(stdout, '')
  assert.match(stderr, /^[^\n]*network namespace[^\n]*Operation not permitted[^\n]*\n$/)
})

test('without a namespace of its own it does not touch that of its parent', () => {
  const { status, stderr } = spawnSync(process.execPath, [path.join(top, 'demos/two_hosts/two_hosts.js')], { encoding: 'utf8' })
  assert.strictEqual(status, 2)
  assert.strictEqual(stderr, 'two_hosts: it needs a network namespace of its own: ./run two_hosts\n')
})

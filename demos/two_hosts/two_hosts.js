// Outgrowing one machine: two hosts with a cluster each, HAProxy in front of them, and clients. A worker is killed, a host is lost, a cable
// is pulled; and each time this prints who answered, what failed, and how long the worst request took.
//
//     ./run two_hosts                  `cluster` on each host
//     ./run two_hosts http_cluster
//     ./run two_hosts stay             no clients and no losses: for whoever wants to try by hand, until Ctrl-C
//     ./run two_hosts watch            on the page of demos/live: with --json, what happens on both hosts is on stdout, event by event;
//                                      with --slowly each step takes longer, so that one can open the page
//
// ./run gives it a network namespace of its own, where it may do as it likes: unshare --net node demos/two_hosts/two_hosts.js
// Notes: chapter 12.
'use strict'
const fs = require('fs')
const path = require('path')
const { Events } = require('./events.js')
const { Host, built, output_of } = require('./hosts.js')
const { Load, summary } = require('./load.js')
const { Proxy, port } = require('./proxy.js')

const json = process.argv.includes('--json'), slowly = process.argv.includes('--slowly')
const clients = json ? 4 : 16
const delay = json ? 50 : 10 // ms that an answer takes, so that something is always under way; watched, so that one can watch
const serving = ['--workers', '2', '--respawn', '--delay', String(delay)]
const long_enough = slowly ? 5000 : 1500 // ms of a step

const a = new Host('a', 1), b = new Host('b', 2)
const proxy = new Proxy()
const events = json ? new Events(() => end(0)) : undefined
let load

const say = text => json ? text.split('\n').filter(Boolean).forEach(line => events.tell('line', { text: line.trim() })) : console.log(text)

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))
const plural = (n, word) => `${n} ${word}${n === 1 ? '' : 's'}`

// Does something while the clients ask, and prints what they met from then on.
async function step(title, action = () => {}) {
  say(`\n${title}`)
  const began = performance.now()
  const also = await action(began)
  await pause(Math.max(0, began + long_enough - performance.now()))
  print(await load.between(began, performance.now()))
  if (also) say(`  ${also}`)
  await ask_by_hand()
}

function print(requests) {
  const { by_host, failed, worst } = summary(requests)
  for (const name of ['a', 'b']) {
    const workers = Object.entries(by_host[name] ?? {})
    const total = workers.reduce((sum, [, count]) => sum + count, 0)
    say(`  ${name} answered ${String(total).padStart(4)}${workers.length ? `   ${workers.map(([pid, count]) => `worker ${pid}: ${count}`).join(', ')}` : ''}`)
  }
  for (const method of ['GET', 'POST']) {
    const those = failed.filter(asked => asked.method === method)
    const why = [...new Set(those.map(({ status, error }) => status ?? error))].join(', ')
    say(`  ${method.padEnd(4)} failed  ${String(those.length).padStart(4)}   of ${requests.filter(asked => asked.method === method).length}${those.length ? `, with ${why}` : ''}`)
  }
  say(`  worst ${String(Math.round(worst)).padStart(9)} ms`)
}

// Our own client, as it would be typed.
async function ask_by_hand() {
  const said = await output_of(path.join(built, 'clients/http_client'), '--port', String(port), '--count', '4', '--concurrency', '1')
  const pids = [...said.matchAll(/worker-(\d+)/g)].map(([, pid]) => Number(pid))
  const host_of = pid => [a, b].find(host => host.workers.includes(pid))?.name ?? '?'
  say(`  http_client --count 4: ${pids.map(pid => `${host_of(pid)}/${pid}`).join(' ')}`)
}

const in_words = (what, ms) => ms === null ? `the proxy has not noticed that ${what}` : `the proxy says after ${Math.round(ms)} ms that ${what}`

async function begin(demo) {
  await output_of('ip', 'link', 'set', 'dev', 'lo', 'up')
  for (const host of [a, b]) {
    events?.follow(host)
    await host.build()
    await host.serve(demo, ...serving)
    say(`host ${host.name}: ${demo} on ${host.address}:8080, main ${host.main.pid}, workers ${host.workers.join(' ')}`)
  }
  await proxy.serve()
  say(`proxy: haproxy on 127.0.0.1:${port}, PID ${proxy.process.pid}, as demos/two_hosts/haproxy.cfg says`)
}

// What there is to type in another terminal.
async function stay() {
  await begin('cluster')
  const here = `nsenter -t ${process.pid} -n`
  say('\nUntil Ctrl-C. In another terminal, as root:')
  for (const [command, what] of [
    [`${here} build/clients/http_client --count 6`, 'ask, through the proxy'],
    [`${here} curl -i http://127.0.0.1:${port}/`, 'the same; Served-By names the host'],
    [`kill -9 ${a.main.pid}`, 'host a is lost; b is as easy'],
    [`nsenter -t ${a.holder.pid} -n ip link set dev eth0 down`, 'its cable is pulled; up: plugged in again'],
    [`nsenter -t ${a.holder.pid} -n ss -ltnp`, 'who listens on host a']])
    say(`  ${command.padEnd(56)}  ${what}`)
  proxy.on('says', line => say(`proxy: ${line}`))
  await new Promise(() => {}) // Ctrl-C ends the process
}

// A step of which the proxy says that host a is up, or down, because of it.
const noticed = (title, state, happen) => step(title, async began => {
  const says = proxy.tells(state, 'a', began, 5000)
  await happen()
  return in_words(`a is ${state.toLowerCase()}`, await says)
})

async function story(demo) {
  await begin(demo)
  load = new Load(port, clients, asked => events?.answered(asked))

  await step('1. Both hosts serve; every third request is a POST')
  await step(`2. kill -9 ${a.workers[0]}: a worker of host a`, () => { process.kill(a.workers[0], 'SIGKILL') })
  await noticed('3. Host a is lost: all its processes, at once', 'DOWN', () => a.kill())
  await noticed('4. Host a is started again', 'UP', () => a.serve(demo, ...serving))
  await noticed('5. The cable to host a is pulled', 'DOWN', () => a.pull())
  await noticed('6. The cable is back', 'UP', () => a.plug())
  await load.stop()
  const counts = new Map()
  for (const { method, target } of [...a.requests, ...b.requests])
    if (method === 'POST') counts.set(target, (counts.get(target) ?? 0) + 1)
  const failed_gets = summary(load.all).failed.filter(({ method }) => method === 'GET')
  const twice = [...counts.values()].filter(count => count > 1).length
  say(`\nIn all: ${plural(failed_gets.length, 'GET')} failed; ${plural(twice, 'POST')} reached two workers.`)
  return failed_gets.length || twice ? 1 : 0
}

let is_ending = false

async function end(code) {
  if (is_ending) return
  is_ending = true
  if (load) load.is_over = true
  await Promise.all([a.stop(), b.stop(), proxy.stop()])
  events?.tell('stop', { code })
  process.stdout.write('', () => process.exit(code)) // when all of it is written
}

for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15], ['SIGHUP', 1]])
  process.on(signal, () => end(128 + number))

const namespace_of = pid => fs.readlinkSync(`/proc/${pid}/ns/net`)
if (namespace_of('self') === namespace_of(process.ppid)) {
  console.error('two_hosts: it needs a network namespace of its own: ./run two_hosts')
  process.exit(2)
}

function fail(why) {
  if (!is_ending) console.error(`two_hosts: ${why}`)
  return end(load ? 1 : 3)
}

proxy.on('ended', () => fail('haproxy has ended'))
const [what = 'cluster'] = process.argv.slice(2).filter(word => !word.startsWith('--'))
;(what === 'stay' ? stay() : story(what)).then(end, error => fail(error.message))

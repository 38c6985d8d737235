// What a demo and its clients tell with --json, as objects; and whether each of these is as schema.json has it.
'use strict'
const assert = require('assert')
const { spawn } = require('child_process')
const { once } = require('events')
const path = require('path')

const top = path.join(__dirname, '../..')
const built = process.env.BUILD_FOLDER || path.join(top, 'build')
const schema = require('./schema.json')

// ---- one line, without a library: as much of JSON Schema as schema.json uses, and an error for what it does not know.

const is_of = {
  integer: Number.isSafeInteger,
  string: value => typeof value === 'string',
  null: value => value === null
}

const rules = {
  $ref: (value, name) => fits(value, schema.$defs[name.replace('#/$defs/', '')]),
  type: (value, types) => [types].flat().some(type => is_of[type](value)),
  const: (value, expected) => value === expected,
  enum: (value, words) => words.includes(value),
  minimum: (value, least) => typeof value !== 'number' || value >= least,
  maximum: (value, most) => typeof value !== 'number' || value <= most,
  maxLength: (value, most) => typeof value !== 'string' || value.length <= most,
  description: () => true
}

function fits(value, rule) {
  return Object.entries(rule).every(([name, wanted]) => {
    assert.ok(rules[name], `recorded.js does not know ${name}`)
    return rules[name](value, wanted)
  })
}

// A second opinion, in ./run test browser: ajv's, of the same schema.
const ajv = process.env.NODE_MODULES && new (require(path.join(process.env.NODE_MODULES, 'ajv/dist/2020')))({ allowUnionTypes: true }).compile(schema)

// '' or what is wrong with it.
function fault_of(event) {
  const fault = own_fault_of(event)
  if (ajv) assert.strictEqual(ajv(event), fault === '', `${JSON.stringify(event)}: ${fault}; ${JSON.stringify(ajv.errors)}`)
  return fault
}

function own_fault_of(event) {
  const branch = schema.oneOf.find(one => one.properties.ev.const === event.ev)
  if (!branch) return `no event is called ${event.ev}`
  const known = { ...schema.properties, ...branch.properties }
  const missing = [...schema.required, ...branch.required].find(name => !(name in event))
  if (missing) return `${missing} is missing`
  const wrong = Object.keys(event).find(name => !known[name] || !fits(event[name], known[name]))
  return wrong ? `${wrong} is ${JSON.stringify(event[wrong])}` : ''
}

function parse(text) {
  assert.ok(text === '' || text.endsWith('\n'), 'whole lines')
  return text.split('\n').slice(0, -1).map(line => {
    const event = JSON.parse(line)
    const fault = fault_of(event)
    assert.strictEqual(fault, '', `${line}: ${fault}`)
    return event
  })
}

// Of each process: nothing is missing but what it says is, and its clock goes on.
function expect_whole(events) {
  const by_pid = new Map()
  for (const event of events) by_pid.set(event.pid, [...by_pid.get(event.pid) ?? [], event])
  for (const [pid, its] of by_pid) {
    const dropped = its.filter(one => one.ev === 'dropped').reduce((sum, one) => sum + one.count, 0)
    assert.strictEqual(its.at(-1).seq + 1, its.length + dropped, `events of ${pid} are missing`)
    its.forEach((one, i) => assert.ok(i === 0 || (one.seq > its[i - 1].seq && (one.t_us >= its[i - 1].t_us || its[i].ev === 'dropped')), `${JSON.stringify(one)} behind ${JSON.stringify(its[i - 1])}`))
    assert.strictEqual(new Set(its.map(one => `${one.role} ${one.slot}`)).size, 1, `${pid} is in one place`)
  }
}

// ---- programs

// Those that run: a test that fails leaves none.
const running = new Set()
process.on('exit', () => running.forEach(child => child.kill('SIGKILL')))

// A program with its output. `ended` is its exit code, and what it has written on stdout.
function start(name, words = [], { reads = true } = {}) {
  const child = spawn(path.join(built, name), words, { stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', text => { said.out += text })
  if (!reads) child.stdout.pause()
  child.stderr.setEncoding('utf8').on('data', text => { said.err += text })
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child)
    return { code, ...said }
  })
  return { child, said, ended }
}

// A demo with --json, when it is ready: { port, workers, child, stop }.
async function start_demo(name, words = [], options) {
  const demo = start(`demos/${name}`, ['--json', '--port', '0', ...words], options)
  const line = () => demo.said.err.match(/^listening on .*:(\d+),(?: workers ([\d ]+))?.*\n/m)
  while (!line()) await Promise.race([once(demo.child.stderr, 'data'), demo.ended.then(({ err }) => assert.fail(err))])
  const [, port, pids] = line()
  const stop = async () => {
    demo.child.kill('SIGTERM')
    const { code, out, err } = await demo.ended
    assert.strictEqual(code, 0, err)
    return { err, events: parse(out) }
  }
  return { ...demo, port, workers: (pids ?? '').trim().split(' ').filter(Boolean).map(Number), stop }
}

// A client with --json, and what it has told.
async function run_client(name, port, words = []) {
  const { code, out, err } = await start(`clients/${name}`, ['--json', '--port', port, ...words]).ended
  return { code, err, events: parse(out) }
}

const count = (events, ...names) => names.map(name => events.filter(one => one.ev === name).length)

module.exports = { count, expect_whole, fault_of, parse, run_client, schema, start, start_demo }

// What haproxy.cfg says of its settings: what it costs to do without one.
'use strict'
const assert = require('assert')
const fs = require('fs')
const os = require('os')
const path = require('path')
const { test } = require('node:test')
const { TwoHosts, failed } = require('./two_hosts.js')

const ours = fs.readFileSync(path.join(__dirname, '../../demos/two_hosts/haproxy.cfg'), 'utf8')

function without(setting) {
  const line = new RegExp(`^ *${setting}.*\n`, 'm')
  assert.match(ours, line)
  return ours.replace(line, '')
}

// 200 ms of each request with a worker: all that are under way have been told (Host.requests) when their host is lost.
async function lose(t, lost, configuration) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'two_hosts-'))
  const two = new TwoHosts()
  t.after(async () => {
    await two.end()
    fs.rmSync(folder, { recursive: true })
  })
  const file = path.join(folder, 'haproxy.cfg')
  fs.writeFileSync(file, configuration)
  await two.begin({ delay: 200, configuration: file })
  await two.a_is_busy()
  const { requests } = await two.during(() => two.a[lost]())
  await two.end()
  return { two, requests }
}

test('without retry-on a killed host loses GETs', async t => {
  const { requests } = await lose(t, 'kill', without('retry-on'))
  assert(failed(requests, 'GET').length > 0)
})

test('without redispatch a killed host loses GETs', async t => {
  const { requests } = await lose(t, 'kill', without('option redispatch'))
  assert(failed(requests, 'GET').length > 0)
})

test('without disable-l7-retry a POST is executed twice', async t => {
  const { two } = await lose(t, 'kill', without('http-request disable-l7-retry'))
  assert(two.posts_that_two_had().length > 0)
})

test('with shutdown-sessions a pulled cable loses GETs', async t => {
  const { requests } = await lose(t, 'pull', ours.replace('observe layer4', 'on-marked-down shutdown-sessions $&'))
  assert(failed(requests, 'GET').length > 0)
})

test('without a health check a host whose cable is pulled is never marked down before a client has waited', async t => {
  const { two } = await lose(t, 'pull', ours.replace(/ check$/gm, ''))
  assert.deepStrictEqual(two.proxy.said.filter(line => line.includes('is DOWN')), [])
})

// What the tests of two hosts have in common: both with a cluster, the proxy and the clients, in a network namespace that the test has for
// itself (CMakeLists.txt).
'use strict'
const assert = require('assert')
const { Host, output_of } = require('../../demos/two_hosts/hosts.js')
const { Load, is_answered } = require('../../demos/two_hosts/load.js')
const { Proxy, port } = require('../../demos/two_hosts/proxy.js')

const clients = 16

class TwoHosts {
  a = new Host('a', 1)
  b = new Host('b', 2)
  proxy = new Proxy()

  // Each answer takes `delay` ms: whoever is killed has requests under way. `configuration`: another file than ours.
  async begin({ demo = 'cluster', delay = 50, configuration } = {}) {
    this.delay = delay
    this.how = [demo, '--workers', '2', '--respawn', '--delay', String(delay)]
    await output_of('ip', 'link', 'set', 'dev', 'lo', 'up')
    for (const host of [this.a, this.b]) {
      await host.build()
      await host.serve(...this.how)
    }
    await this.proxy.serve(configuration)
    this.load = new Load(port, clients)
    await this.until(() => ['a', 'b'].every(name => this.load.all.some(({ by }) => by?.startsWith(name))))
  }

  async end() {
    await this.load?.stop()
    await Promise.all([this.a.stop(), this.b.stop(), this.proxy.stop()])
  }

  async until(is_so, limit = 10000) {
    const began = performance.now()
    while (!is_so()) {
      assert(performance.now() - began < limit, `not within ${limit} ms: ${is_so}`)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }

  // So many more answers, of requests that begin from now on.
  async answers(count) {
    const began = performance.now()
    await this.until(() => this.load.all.filter(asked => asked.began >= began && is_answered(asked)).length >= count)
  }

  // One of each kind is with a worker of host a, which has said so, and will be for a while.
  async a_is_busy() {
    await this.until(() => {
      const had = this.who_had(), fresh = performance.now() - this.delay / 2
      const under_way = this.load.all.filter(asked => asked.ms === undefined && asked.began > fresh && had(asked)[0]?.startsWith('a/'))
      return ['GET', 'POST'].every(kind => under_way.some(({ method }) => method === kind))
    })
  }

  // Does something while the clients ask, until all of them are served again. All requests that it may have touched, when they have ended.
  async during(action) {
    const began = performance.now()
    const result = await action(began)
    await this.answers(3 * clients)
    return { result, requests: await this.load.between(began, performance.now()) }
  }

  // By target, the workers that had it, as "a/7751".
  who_had() {
    const had = new Map()
    for (const host of [this.a, this.b])
      for (const { target, worker } of host.requests) had.set(target, [...had.get(target) ?? [], `${host.name}/${worker}`])
    return ({ id }) => had.get(`/?id=${id}`) ?? []
  }

  posts_that_two_had() {
    const had = this.who_had()
    return this.load.all.filter(asked => asked.method === 'POST' && had(asked).length > 1)
  }
}

const failed = (requests, method) => requests.filter(asked => asked.method === method && !is_answered(asked))

module.exports = { TwoHosts, clients, failed }

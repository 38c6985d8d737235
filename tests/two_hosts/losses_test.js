// A worker, a host and a cable are lost, and come back, while clients ask: what it costs, and whom.
'use strict'
const assert = require('assert')
const { test } = require('node:test')
const { TwoHosts, clients, failed } = require('./two_hosts.js')

for (const demo of ['cluster', 'http_cluster'])
  test(`${demo}: no GET fails and no POST is executed twice, whatever is lost`, async t => {
    const two = new TwoHosts(), { a, b, proxy } = two
    t.after(() => two.end())
    await two.begin({ demo })

    const no_get_failed = requests => assert.deepStrictEqual(failed(requests, 'GET'), [])
    const is_noticed = ms => assert(ms !== null && ms < 1000, `marked down after ${ms} ms`)

    // A loss of host a, and what was asked meanwhile.
    const expect_noticed = async lose => {
      const { result, requests } = await two.during(async began => {
        const down = proxy.tells('DOWN', 'a', began, 5000)
        await lose()
        return down
      })
      is_noticed(result)
      no_get_failed(requests)
      return requests
    }

    // From `began` on: back in the rotation, with its share of what begins in the rest of 3 s.
    const has_its_share = async (began, is_up) => {
      const up = await is_up
      assert(up !== null, 'it is not marked up')
      const back = performance.now()
      await two.answers(20 * clients)
      const requests = await two.load.between(back, performance.now())
      assert(requests.at(-1).began - began < 3000, 'it has not been back for long after 3 s')
      const share = requests.filter(({ by }) => by?.startsWith('a/')).length / requests.length
      assert(share >= 0.4, `a has answered ${share} of the requests`)
    }

    await t.test('a killed worker costs at most its own requests, and not its host', async () => {
      await two.a_is_busy()
      const killed = a.workers[0], said = proxy.said.length
      const { requests } = await two.during(() => { process.kill(killed, 'SIGKILL') })
      no_get_failed(requests)
      const had = two.who_had() // none: it died before it could tell
      for (const post of failed(requests, 'POST')) assert.deepStrictEqual(had(post).filter(worker => worker !== `a/${killed}`), [])
      assert.deepStrictEqual(proxy.said.slice(said).filter(line => line.includes('is DOWN')), [])
    })

    await t.test('a lost host costs no GET, and is noticed within a second', async () => {
      await two.a_is_busy()
      const requests = await expect_noticed(() => a.kill())
      const had = two.who_had()
      for (const post of failed(requests, 'POST')) assert.deepStrictEqual(had(post).filter(worker => worker.startsWith('b/')), [])
    })

    await t.test('it is back within three seconds', async () => {
      const { requests } = await two.during(async began => {
        const up = proxy.tells('UP', 'a', began, 5000)
        await a.serve(...two.how)
        await has_its_share(began, up)
      })
      no_get_failed(requests)
      assert.deepStrictEqual(failed(requests, 'POST'), [])
    })

    await t.test('a pulled cable costs no GET, and is noticed within a second', async () => {
      await two.a_is_busy()
      await expect_noticed(() => a.pull())
    })

    await t.test('and when the cable is back, so is the host, within three seconds', async () => {
      const { requests } = await two.during(async began => {
        const up = proxy.tells('UP', 'a', began, 5000)
        await a.plug()
        await has_its_share(began, up)
      })
      no_get_failed(requests)
    })

    await two.end()
    assert.deepStrictEqual([a.dropped, b.dropped], [0, 0], 'all events have arrived')
    assert.deepStrictEqual(two.posts_that_two_had(), [])
    const had = two.who_had()
    const answered = two.load.all.filter(({ method, by }) => method === 'POST' && by)
    assert(answered.length > 100)
    assert.deepStrictEqual(answered.filter(post => had(post)[0] !== post.by), [], 'each POST that was answered: the worker that says so had it')
  })

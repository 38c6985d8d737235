// build: cluster
// needs: two hosts
const fs = require('fs')
const { exercise } = require('../../../tests/two_hosts/exercise.js')
const { failed } = require('../../../tests/two_hosts/two_hosts.js')

exercise(async ({ two }) => {
  const settings = fs.readFileSync('demos/two_hosts/haproxy.cfg', 'utf8').split('\n').map(line => line.trim()).filter(line => line && !line.startsWith('#'))
  for (const other of ['retries 3', 'balance roundrobin', 'option httpchk', 'http-request disable-l7-retry', 'server a', 'server b'])
    if (!settings.some(line => line.startsWith(other))) throw `one setting is enough, and it is not "${other}"`
  if (['option redispatch', 'retry-on'].every(name => !settings.some(line => line.startsWith(name)))) throw 'one setting is enough'
  await two.begin({ delay: 200 })
  await two.answers(64)
  if (failed(two.load.all.filter(({ ms }) => ms !== undefined), 'GET').length) throw 'a GET fails before anything is lost'
  await two.a_is_busy()
  const { requests } = await two.during(() => two.a.kill())
  if (!failed(requests, 'GET').length) throw 'a killed host still loses no GET'
})

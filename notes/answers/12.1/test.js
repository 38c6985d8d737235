// build: cluster
// needs: two hosts
const http = require('http')
const { exercise } = require('../../../tests/two_hosts/exercise.js')

exercise(async ({ two, answer }) => {
  await two.begin()
  await two.load.stop()
  const down = ['a', 'b'].map(host => two.proxy.tells('DOWN', host, 0, 5000))
  await Promise.all([two.a.kill(), two.b.kill()])
  await Promise.all(down)
  answer(await new Promise((resolve, reject) => http.get('http://127.0.0.1:8888/', response => {
    response.resume()
    resolve(response.statusCode)
  }).on('error', reject)))
})

// build: cluster
// needs: two hosts
const http = require('http')
const { exercise } = require('../../../tests/two_hosts/exercise.js')

// Who has answered, "a", and the cookie that came with it.
const ask = cookie => new Promise((resolve, reject) => http.get('http://127.0.0.1:8888/', { headers: cookie ? { cookie } : {} }, response => {
  response.resume()
  resolve({ host: response.headers['served-by']?.split('/')[0], cookie: response.headers['set-cookie']?.[0].split(';')[0] })
}).on('error', reject))

exercise(async ({ two, same }) => {
  await two.begin({ delay: 5, configuration: 'demos/two_hosts/sticky.cfg' }) // returns when both have answered clients without a cookie
  const { host, cookie } = await ask()
  if (!cookie) throw 'the answer to a client without a cookie brings none'
  for (let i = 0; i < 20; i++) same((await ask(cookie)).host, host, 'who answers the client with the cookie')
  await two[host].kill()
  same((await ask(cookie)).host, host === 'a' ? 'b' : 'a', 'who answers it when that host is lost')
})

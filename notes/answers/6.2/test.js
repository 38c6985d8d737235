// build: http_cluster
const { exercise, same } = require('../../../tests/notes/exercise.js')

const get = target => `node -e "
  require('http').get('http://127.0.0.1:8888${target}', res => {
    console.log(res.statusCode)
    res.pipe(process.stdout)
  })"`

exercise(async ({ start, run }) => {
  await start('build/demos/http_cluster')
  const found = await run(get('/'))
  same(found.lines[0], '200', 'the status of /')
  same(found.lines[1]?.replace(/\d+$/, ''), 'Request handled by worker-worker ', 'the body of /')
  for (const target of ['/favicon.ico', '/other?x=1'])
    same((await run(get(target))).lines, ['404', 'Not found'], `the answer to ${target}`)
})

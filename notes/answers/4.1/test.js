// build: invalid_handle
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ run, answer }) => {
  const demo = await run('build/demos/invalid_handle --trace')
  same(demo.exit, 0, 'the exit code')
  answer(demo.lines.filter(line => / -> .*  \+ descriptor \d+$/.test(line)).length)
})

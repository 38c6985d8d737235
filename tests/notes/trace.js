// The output of strace, made comparable: descriptors, PIDs and addresses replaced, interrupted lines joined.
'use strict'
const child_process = require('child_process')

const returns_descriptor = /^(?:\[worker\] )?(?:accept4?|socket|epoll_create1?|pidfd_open|pidfd_getfd|dup[23]?|openat?|open|eventfd2?|timerfd_create|signalfd4)\(/
const returns_pid = /^(?:\[worker\] )?(?:clone3?|v?fork|wait4|waitid|getpid|gettid|getppid|setsid|set_tid_address)\(/

// Under -f a call that another process's call interrupts is shown in two lines.
function join_resumed(lines) {
  const waiting = new Map()
  return lines.flatMap(line => {
    const [, pid = '', text] = line.match(/^(\[pid +\d+\] |\d+ +)?(.*)$/)
    const unfinished = text.match(/^(.*?)\s*<unfinished \.\.\.>$/)
    if (unfinished) { waiting.set(pid.trim(), unfinished[1]); return [] }
    const resumed = text.match(/^<\.\.\. \w+ resumed>(.*)$/)
    if (!resumed) return [line]
    const begun = waiting.get(pid.trim()) ?? ''
    waiting.delete(pid.trim())
    return [pid + begun + resumed[1]]
  })
}

const is_trace = line => /^(?:\[pid +\d+\] |\d+ +)?(?:\w+\(|<\.\.\. |\+\+\+ |--- )/.test(line)

// `workers`: their PIDs, as texts, when both what is shown and what came out tell them; else none.
function normalise_trace(lines, workers) {
  return join_resumed(lines).map(line => {
    let text = line.replace(/^(?:\[pid +(\d+)\] |(\d+) +(?=\w+\())/, (_, a, b) => workers.includes(a ?? b) ? '[worker] ' : '')
      .replace(/\s+= /, ' = ')
    text = text.replace(/^((?:\[\w+\] )?\w+\()\d+\b/, '$1‹n›') // the first argument: a descriptor, or a PID
      .replace(/(cmsg_data=\[)\d+(?:, \d+)*(?=\])/g, '$1‹n›')
      .replace(/(epoll_ctl\(‹n›, EPOLL_CTL_\w+, )\d+/, '$1‹n›')
      .replace(/(socketpair\(.*\[)\d+, \d+(?=\])/, '$1‹n›, ‹n›')
      .replace(/(dup[23]\(‹n›, )\d+/, '$1‹n›')
      .replace(/(fd=|u32=|u64=)\d+/g, '$1‹n›')
      .replace(/(sin6?_port=htons\()(?!8888\b)\d+/g, '$1‹n›')
      .replace(/(?<=key\\":\\"4:127\.0\.0\.1:)\d+/g, '‹n›')
      .replace(/0x[0-9a-f]+/g, '‹address›')
    if (returns_descriptor.test(text) || /F_DUPFD/.test(text)) text = text.replace(/ = \d+$/, ' = ‹n›')
    if (returns_pid.test(text)) text = text.replace(/ = \d+$/, ' = ‹n›')
    return text
  })
}

// Why tracing is not possible here; undefined when it is.
function cannot_trace() {
  const { error, status, stderr } = child_process.spawnSync('strace', ['-o', '/dev/null', 'true'], { encoding: 'utf8' })
  if (error) return 'strace is not installed'
  if (status) return stderr.trim().split('\n')[0] || 'tracing is not allowed'
}

module.exports = { is_trace, normalise_trace, cannot_trace }

// What the page says, in English and Chinese: its labels, and a sentence for each event with the system call behind it and the chapter
// that explains it.

import { worker_of } from './state.mjs'

const chapters = {
  2: '02-descriptors.md', 3: '03-socket-fanout.md', 5: '05-server-handoff.md', 6: '06-http-cluster.md', 7: '07-clients.md',
  8: '08-who-gets-the-connection.md', 9: '09-what-cluster-does.md', 10: '10-when-a-worker-must-be-new.md', 11: '11-channel-promises.md'
}

export const labels = {
  en: {
    title: 'One service, many processes', language: '中文', theme: 'dark', theme_light: 'light', example: 'Example',
    socket_fanout: '1 shared sockets', server_handoff: '2 shared listener', http_cluster: 'HTTP cluster', cluster: 'cluster', invalid_handle: 'what cannot be sent',
    mode: 'hand over', rotate: 'in turn', all: 'to all', fork: 'fork each time', accept: 'accept', step_back: 'step back', race: 'race', exclusive: 'exclusive',
    workers: 'workers', workers_count: 'workers', delay: 'delay, ms', respawn: 'replace dead workers', start: 'start', end: 'end',
    load: 'requests', at_once: 'at once', keep_alive: 'keep-alive', by_hand: 'by hand',
    clients: 'clients', kernel: 'kernel', main: 'main', worker: 'worker', port: 'port', queue: 'accept queue', no_port: 'nobody listens',
    queue_unused: 'empty', queue_empty: 'empty: all have been accepted', queue_waits: 'nobody has accepted these yet', open: 'connections', open_note: 'one open socket each, whatever number names it',
    no_clients: 'no client yet', host: name => `Host ${name}`, from_proxy: 'from the proxy', listens: 'listens on', server: 'server', connection_of: 'client', nothing_open: 'nothing open',
    accepted: 'accepted', received: 'received', handed: 'handed over', answered: 'answered', legend: 'a number in front: the descriptor, by which that process names it · | a fair share · ○ woken in vain: another process was quicker', silent: 'tells nothing: no program of ours', gone: 'gone', frozen: 'stopped',
    kill: 'kill -9', freeze: 'stop', thaw: 'continue', vain: 'woken in vain',
    happened: 'What just happened', nothing_yet: 'Nothing yet. Start an example, then send some requests.', chapter: 'chapter',
    slot: 'worker', pid: 'PID', got: 'clients', answers: 'answers', share: 'of all', restarts: 'restarts', fair: 'fair share',
    timeline: 'Timeline', timeline_key: '■ accepts · ○ woken in vain · ▶ sends a descriptor · ◀ has received it · ◆ asks, answers, ends its side · × closes · ● anything else · red ×: died, or not answered · pale: still to come · a number: so many in one place',
    timeline_hint: 'Every mark is an event that a process has told. Arrow keys step, space plays, + and − zoom.',
    lane_clients: 'clients', lane_kernel: 'kernel queue', first: 'to the beginning', back: 'one event back', play: '▶ play', pause: '❚❚ pause', forward: 'one event on', step: 'step', live: 'live', again: 'again, slowly', speed: 'speed',
    zoom_in: 'zoom in', zoom_out: 'zoom out', fit: 'fit', open_recording: 'open a recording',
    source_own: 'live', source_stdin: 'a demo that somebody else has started', source_replay: 'a recording', ended_by: why => `: the example has ended, ${why}`, tells_no_more: ', which tells nothing more', source_none: 'no stream', source_lost: 'the stream is interrupted; trying again',
    table: 'The same in numbers', others: n => `and ${n} more`,
    asked: (asked, answered, lost) => `clients say: ${asked} asked, ${answered} answered, ${lost} lost`,
    marks: n => `${n} ${n === 1 ? 'event stands' : 'events stand'} too close to be drawn one by one`,
    left_out: { dropped: n => `${n} events dropped where nobody had time to read them`, missing: n => `${n} events missed while the stream was interrupted`, forgotten: n => `${n} older events no longer kept`, refused: n => `${n} lines that are no events` },
    span: (span, speed) => `${span} of it${speed}`, at_speed: speed => `, drawn at ${speed} speed`, skipped: time => `${time} in which nothing happened were skipped`,
    hosts_story: 'Several hosts behind a proxy. Whoever asks meets the proxy, which asks one of the hosts over a connection of its own: no descriptor leaves its host.',
    story: {
      socket_fanout: 'Example 1, shared sockets. The main accepts every connection and sends it to one worker, in turn. The worker answers.',
      all: 'Example 1, to all. The main accepts every connection and sends it to all workers. Each writes its answer to the same client.',
      fork: 'Example 1, fork each time. The main accepts every connection and starts a new child for it, which answers.',
      server_handoff: 'Example 2, shared listener. The main sends its listening server to every worker, once, and accepts nothing. Each worker accepts for itself, and answers what it has accepted.',
      http_cluster: 'The HTTP cluster. The main sends its listening server to every worker, once, and accepts nothing. Each worker accepts for itself, and answers the HTTP requests that it reads.',
      cluster: 'What cluster does. Each worker asks the main for the port. How connections then reach it, --policy says.'
    },
    refused: 'refused', unreachable: 'the page\'s server does not answer', cannot_open: 'this cannot be opened', running_none: 'no example runs'
  },
  zh: {
    title: '一个服务，多个进程', language: 'English', theme: '深色', theme_light: '浅色', example: '实例',
    socket_fanout: '实例1 分发 socket', server_handoff: '实例2 共享监听', http_cluster: 'http 服务集群', cluster: 'cluster', invalid_handle: '不能发送的句柄',
    mode: '分发方式', rotate: '轮流', all: '给全部', fork: '每次 fork', accept: '接受方式', step_back: '谦让', race: '抢占', exclusive: '独占唤醒',
    workers: '子进程', workers_count: '子进程数', delay: '延迟（毫秒）', respawn: '自动重启', start: '启动', end: '结束',
    load: '个请求', at_once: '并发', keep_alive: '保持连接', by_hand: '手动命令',
    clients: '客户端', kernel: '内核', main: '主进程', worker: '子进程', port: '端口', queue: '接受队列', no_port: '没有进程在监听',
    queue_unused: '空', queue_empty: '空：都已被接受', queue_waits: '还没有进程接受它们', open: '连接', open_note: '每个连接只有一个打开的 socket，不论描述符编号是几',
    no_clients: '还没有客户端', host: name => `主机 ${name}`, from_proxy: '来自代理', listens: '监听', server: 'server', connection_of: '客户端', nothing_open: '没有打开的连接',
    accepted: '已接受', received: '已收到', handed: '已移交', answered: '已应答', legend: '前面的数字：描述符，该进程用它指称这一项 · | 平均份额 · ○ 白白唤醒：别的进程更快', silent: '不报告事件：不是我们的程序', gone: '已退出', frozen: '已暂停',
    kill: 'kill -9', freeze: '暂停', thaw: '继续', vain: '白白唤醒',
    happened: '刚刚发生了什么', nothing_yet: '还没有事件。先启动一个实例，再发送几个请求。', chapter: '章节',
    slot: '子进程', pid: 'PID', got: '连接', answers: '应答', share: '占比', restarts: '重启', fair: '平均份额',
    timeline: '时间线', timeline_key: '■ 接受 · ○ 白白唤醒 · ▶ 发送描述符 · ◀ 收到描述符 · ◆ 请求、应答、结束自己一侧 · × 关闭 · ● 其他 · 红色 ×：异常退出或未应答 · 浅色：尚未发生 · 数字：同一处的事件数',
    timeline_hint: '每个标记都是某个进程报告的事件。方向键单步，空格播放，+ 和 − 缩放。',
    lane_clients: '客户端', lane_kernel: '内核队列', first: '回到开头', back: '后退一步', play: '▶ 播放', pause: '❚❚ 暂停', forward: '前进一步', step: '单步', live: '实时', again: '慢速重放', speed: '速度',
    zoom_in: '放大', zoom_out: '缩小', fit: '适合', open_recording: '打开录制文件',
    source_own: '实时', source_stdin: '由别人启动的实例', source_replay: '录制', ended_by: why => `：实例已结束（${why}）`, tells_no_more: '，它不再报告事件', source_none: '没有事件流', source_lost: '事件流中断，正在重连',
    table: '数字一览', others: n => `还有 ${n} 个`,
    asked: (asked, answered, lost) => `客户端自报：请求 ${asked}，应答 ${answered}，丢失 ${lost}`,
    marks: n => `${n} 个事件太密，无法逐个画出`,
    left_out: { dropped: n => `${n} 个事件因来不及读取而被丢弃`, missing: n => `事件流中断时错过了 ${n} 个事件`, forgotten: n => `${n} 个较早的事件已不再保留`, refused: n => `${n} 行不是事件` },
    span: (span, speed) => `共 ${span}${speed}`, at_speed: speed => `，以 ${speed} 速度绘制`, skipped: time => `跳过了 ${time}，其间没有事件`,
    hosts_story: '代理后面的多台主机。请求先到达代理，代理用自己的连接去请求其中一台主机：描述符从不离开它的主机。',
    story: {
      socket_fanout: '实例1，分发 socket。主进程接受每个连接，并轮流发送给一个子进程，由子进程应答。',
      all: '实例1，给全部。主进程接受每个连接，并发送给全部子进程，每个子进程都向同一个客户端写应答。',
      fork: '实例1，每次 fork。主进程接受每个连接，并为它启动一个新的子进程，由它应答。',
      server_handoff: '实例2，共享监听。主进程只把监听中的 server 发送给每个子进程一次，自己不接受连接。每个子进程自己接受，并应答自己接受的连接。',
      http_cluster: 'http 服务集群。主进程只把监听中的 server 发送给每个子进程一次，自己不接受连接。每个子进程自己接受，并应答读到的 HTTP 请求。',
      cluster: 'cluster 的做法。每个子进程向主进程要端口；之后连接怎样到达子进程，由 --policy 决定。'
    },
    refused: '被拒绝', unreachable: '页面的服务器没有应答', cannot_open: '无法打开', running_none: '没有运行中的实例'
  }
}

// Of a name that came over the stream: what every object has is nothing of ours.
const own = (texts, name) => Object.hasOwn(texts, name) ? texts[name] : undefined

/// What the example shows: who accepts, and who answers.
export const story = ({ program, how }, { story }) => (program === 'socket_fanout' && own(story, how)) || own(story, program) || ''

/// "1.5 ms": as many digits as tell something, or as tell it from what is `step` away.
export function duration(us, step) {
  const [one, unit] = us < 1000 ? [1, 'µs'] : us < 1e6 ? [1000, 'ms'] : [1e6, 's']
  const digits = step ? Math.max(0, Math.ceil(Math.log10(one / step) - 1e-9)) : us / one < 10 ? 1 : 0
  return `${Number((us / one).toFixed(digits))} ${unit}`
}

export const speed_text = speed => speed >= 1 ? `${speed}×` : `1/${Math.round(1 / speed)}×`

// ---- sentences

// Who: "main 7749", "worker 2", "a client".
const names = {
  en: { main: pid => `main ${pid}`, worker: (slot, pid) => slot === null ? `child ${pid}` : `worker ${slot}`, client: number => number === undefined ? 'a client' : `client ${number}`, program: pid => `client program ${pid}` },
  zh: { main: pid => `主进程 ${pid} `, worker: (slot, pid) => `子进程 ${slot ?? pid} `, client: number => number === undefined ? '某个客户端' : `客户端 ${number} `, program: pid => `客户端程序 ${pid} ` }
}

const endings = {
  en: { ended: 'in order, both sides have ended it', client: 'the client has ended it', timeout: 'a time limit is over', broken: 'it could not be read or written', stopped: 'the service ends', no_worker: 'nobody could take it', spent: 'the worker that had it is dead, and had begun to answer' },
  zh: { ended: '双方正常结束', client: '客户端已结束', timeout: '超时', broken: '无法读写', stopped: '服务结束', no_worker: '没有子进程可以接手', spent: '持有它的子进程已死，且已开始应答' }
}

const sentences = {
  en: {
    start: ({ event, role }) => `Process ${event.pid} starts: ${event.program}, ${role === 'client' ? 'a client' : 'the main'}.`,
    strategy: ({ event }) => `It is to have ${event.workers} workers; connections are shared this way: ${event.how}.`,
    listening: ({ event, who }) => `${who} listens on port ${event.port ?? '?'} with descriptor ${event.fd}. From now on the kernel takes connections, even if nobody accepts them.`,
    worker_up: ({ event }) => `Worker ${event.worker} runs, as process ${event.worker_pid}. It has a channel to the main, and nothing of the port yet.`,
    connect: ({ client, waits }) => `${client} has its connection: the kernel has taken it.${waits ? ' It waits in the accept queue, outside every process.' : ' A process had accepted it before the client was told.'}`,
    wakeup: ({ who }) => `${who} was woken for a connection, and another process had accepted it before: woken in vain.`,
    accept: ({ event, who, client }) => `${who} accepts the connection of ${client}: it leaves the queue and is descriptor ${event.fd} there.${event.wakeups ? ` Before that it was woken in vain ${event.wakeups} times.` : ''}`,
    send_fd: ({ event, who, to, client }) => event.kind === 'server' ? `${who} sends its listening server, descriptor ${event.fd}, to ${to}, beside a message of ${event.bytes} bytes.` : `${who} sends descriptor ${event.fd}, the connection of ${client}, to ${to}, beside a message of ${event.bytes} bytes. It keeps its copy until the worker has acknowledged.`,
    recv_fd: ({ event, who, client, numbers }) => event.kind === 'server' ? `The listening server has arrived: ${numbers} in ${who}. From now on it accepts for itself.` : `The connection of ${client} has arrived: ${numbers} in ${who}. Another number, the same open socket.`,
    close_copy: ({ event, who, client }) => event.conn ? `${who} closes its copy, descriptor ${event.fd}. The connection of ${client} stays open: the worker has it.` : `${who} closes its descriptor ${event.fd} of the listening server. The others have theirs.`,
    shutdown: ({ who, client }) => `${who} has answered ${client} and ends its side of the connection, for all who hold it.`,
    request: ({ event, who, role, client }) => role === 'client' ? `${client} asks: ${event.method} ${event.target}.` : `${who} has read a request of ${client}: ${event.method} ${event.target}. The main never sees it.`,
    response: ({ event, who, role, client }) => role === 'client' ? `${client} has its response, ${event.status}, after ${duration(event.us)}.` : `${who} answers ${client} with status ${event.status}, ${duration(event.us)} after the request.`,
    conn_closed: ({ event, who, client, why }) => `${who} closes the connection of ${client}: ${why}. Number ${event.fd} is free again.`,
    worker_exit: ({ event }) => event.signal ? `Worker ${event.worker}, process ${event.worker_pid}, was ended by ${event.signal}. The kernel has closed all that it had.` : `Worker ${event.worker}, process ${event.worker_pid}, has ended with exit code ${event.code}.`,
    respawn: ({ event }) => `The main will start another worker ${event.worker} after ${event.after_ms} ms.`,
    dropped: ({ event, who }) => `${who} had ${event.count} events that nobody had time to read: they are missing here. The service has not waited for us.`,
    line: ({ event }) => `On stdout would stand: ${event.text}`,
    answer: ({ event, answerer }) => `A client was answered by ${answerer}: ${event.text.split('\n')[0]}`,
    failed: ({ event }) => `A client was not answered: ${event.why}`,
    vanished: ({ event, who }) => event.why ? `${who} has ended, and could not tell it: ${event.why}. The kernel has closed its port; its workers end when they see that nobody is at the other end of their channels.` : `${who} tells nothing more, and has not said that it ends. It is shown as gone, with its port and its workers.`,
    stop: ({ event, who, role, acceptors, answerers }) => role === 'client' ? `A client ends, with exit code ${event.code}.${acceptors ? ` Accepted by: ${acceptors}.` : ''}${answerers ? ` Answered by: ${answerers}.` : ''}` : `${who} ends, with exit code ${event.code}.`
  },
  zh: {
    start: ({ event, role }) => `进程 ${event.pid} 启动：${event.program}，${role === 'client' ? '客户端' : '主进程'}。`,
    strategy: ({ event }) => `将有 ${event.workers} 个子进程；连接的分配方式：${event.how}。`,
    listening: ({ event, who }) => `${who}用描述符 ${event.fd} 监听端口 ${event.port ?? '?'}。从现在起内核会接收连接，即使没有进程去接受。`,
    worker_up: ({ event }) => `子进程 ${event.worker} 开始运行，进程号 ${event.worker_pid}。它有一条通往主进程的通道，还没有端口。`,
    connect: ({ client, waits }) => `${client}的连接已建立：内核收下了它。${waits ? '它在接受队列里等待，不属于任何进程。' : '客户端得知之前，已有进程接受了它。'}`,
    wakeup: ({ who }) => `${who}为一个连接被唤醒，但另一个进程已先接受：白白唤醒。`,
    accept: ({ event, who, client }) => `${who}接受了${client}的连接：它离开队列，在这里是描述符 ${event.fd}。${event.wakeups ? `此前白白唤醒 ${event.wakeups} 次。` : ''}`,
    send_fd: ({ event, who, to, client }) => event.kind === 'server' ? `${who}把监听中的 server（描述符 ${event.fd}）随一条 ${event.bytes} 字节的消息发送给${to}。` : `${who}把描述符 ${event.fd}（${client}的连接）随一条 ${event.bytes} 字节的消息发送给${to}。确认之前它保留自己的一份。`,
    recv_fd: ({ event, who, client, numbers }) => event.kind === 'server' ? `监听中的 server 到达${who}：${numbers}。从现在起它自己接受连接。` : `${client}的连接到达${who}：${numbers}。编号不同，是同一个打开的 socket。`,
    close_copy: ({ event, who, client }) => event.conn ? `${who}关闭自己的一份，描述符 ${event.fd}。${client}的连接仍然打开：子进程持有它。` : `${who}关闭监听 server 的描述符 ${event.fd}。其他进程各有一份。`,
    shutdown: ({ who, client }) => `${who}已应答${client}，结束自己这一侧的连接，对所有持有者都有效。`,
    request: ({ event, who, role, client }) => role === 'client' ? `${client}请求：${event.method} ${event.target}。` : `${who}读到${client}的请求：${event.method} ${event.target}。主进程看不到它。`,
    response: ({ event, who, role, client }) => role === 'client' ? `${client}收到应答 ${event.status}，用时 ${duration(event.us)}。` : `${who}以状态 ${event.status} 应答${client}，距请求 ${duration(event.us)}。`,
    conn_closed: ({ event, who, client, why }) => `${who}关闭${client}的连接：${why}。编号 ${event.fd} 又空出来了。`,
    worker_exit: ({ event }) => event.signal ? `子进程 ${event.worker}（进程号 ${event.worker_pid}）被 ${event.signal} 终止。内核关闭了它持有的一切。` : `子进程 ${event.worker}（进程号 ${event.worker_pid}）以退出码 ${event.code} 结束。`,
    respawn: ({ event }) => `主进程将在 ${event.after_ms} 毫秒后启动新的子进程 ${event.worker}。`,
    dropped: ({ event, who }) => `${who}有 ${event.count} 个事件来不及读取，这里缺少它们。服务没有等我们。`,
    line: ({ event }) => `标准输出会显示：${event.text}`,
    answer: ({ event, answerer }) => `客户端得到${answerer}的应答：${event.text.split('\n')[0]}`,
    failed: ({ event }) => `客户端没有得到应答：${event.why}`,
    vanished: ({ event, who }) => event.why ? `${who}已结束，自己来不及报告：${event.why}。内核关闭了它的端口；子进程发现通道的另一端没有人，也随之结束。` : `${who}不再报告事件，也没有报告结束。这里把它连同端口和子进程显示为已退出。`,
    stop: ({ event, who, role, acceptors, answerers }) => role === 'client' ? `客户端结束，退出码 ${event.code}。${acceptors ? `接受者：${acceptors}。` : ''}${answerers ? `应答者：${answerers}。` : ''}` : `${who}结束，退出码 ${event.code}。`
  }
}

// What the process has called. A client's numbers are its own.
const calls = {
  listening: event => `listen(${event.fd}, ...)`,
  worker_up: () => 'socketpair, fork, execve',
  connect: event => `connect(${event.fd}, ...) = 0`,
  wakeup: () => 'accept4(...) = -1 EAGAIN',
  accept: event => `accept4(...) = ${event.fd}`,
  send_fd: event => `sendmsg(channel, {${event.bytes} bytes, SCM_RIGHTS [${event.fd}]})`,
  recv_fd: event => `recvmsg(channel, {${event.bytes} bytes, SCM_RIGHTS [${event.fd}]})`,
  close_copy: event => `close(${event.fd})`,
  shutdown: event => `shutdown(${event.fd}, SHUT_WR)`,
  conn_closed: event => `close(${event.fd})`,
  worker_exit: () => 'waitid(P_PIDFD, ...)'
}

const chapter_of = {
  start: 3, strategy: 8, listening: 5, worker_up: 2, connect: 8, wakeup: 8, accept: 8, send_fd: 3, recv_fd: 3, close_copy: 3, shutdown: 3, request: 6, response: 6, conn_closed: 3,
  worker_exit: 10, respawn: 10, dropped: 8, line: 3, answer: 7, failed: 11, vanished: 11, stop: 3
}

// What a worker does with a connection, the chapter of its example explains.
const chapter_of_program = { server_handoff: 5, http_cluster: 6, cluster: 9 }

const most_listed = 8

function list(processes, state, language) {
  const all = processes.slice(0, most_listed).map(one => one === state.main ? names[language].main(one.pid) : names[language].worker(one.slot, one.pid))
  if (processes.length > most_listed) all.push(labels[language].others(processes.length - most_listed))
  return all.map(one => one.trim()).join(language === 'zh' ? '、' : ', ')
}

/// { sentence, call, chapter, file } of an event, as it looks once `state` has it.
export function explain(state, event, language) {
  const name = names[language]
  const one = state.connections.get(event.conn)
  const slot = event.role === 'worker' ? event.slot : null
  const by = worker_of(state, Number(event.by))
  const sent = state.crossings.findLast(crossing => crossing.to_pid === event.pid && crossing.to_fd === event.fd && crossing.received === event.t_us)
  const facts = {
    event, role: event.role,
    who: event.role === 'main' ? name.main(event.pid) : event.role === 'worker' ? name.worker(slot, event.pid) : name.program(event.pid),
    to: name.worker(event.to ?? null, event.to_pid),
    client: name.client(one?.number),
    waits: one?.place === 'queue',
    numbers: sent ? `${sent.from_fd} → ${event.fd}` : event.fd,
    why: endings[language][event.reason] ?? event.reason,
    answerer: by ? name.worker(by.slot, by.pid) : event.by,
    acceptors: list([state.main, ...state.workers].filter(one => one?.accepted > 0), state, language),
    answerers: list(state.workers.filter(one => one.answers > 0), state, language)
  }
  const where = event.host === undefined ? '' : language === 'zh' ? `主机 ${event.host}：` : `host ${event.host}: `
  const text = (where + sentences[language][event.ev](facts)).replace(/ (?=[，。：；、）])/g, '') // no space before these
  const is_of_server = event.kind === 'server' || (event.ev === 'close_copy' && !event.conn)
  const chapter = is_of_server ? 5 : chapter_of[event.ev] === 3 && event.role === 'worker' ? own(chapter_of_program, state.program) ?? 3 : event.ev === 'stop' && event.role === 'client' ? 8 : chapter_of[event.ev]
  return { sentence: text[0].toUpperCase() + text.slice(1), call: calls[event.ev]?.(event) ?? '', chapter: String(chapter).padStart(2, '0'), file: `notes/${chapters[chapter]}` }
}

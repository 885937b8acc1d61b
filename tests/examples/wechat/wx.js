/* A stand-in for `wx`: SocketTask over real TLS, and what the user does with the phone. */

const crypto = require('crypto')
const fs = require('fs')
const tls = require('tls')

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

class SocketTask {
  constructor({ url, protocols, header, fail }) {
    this.handlers = {}
    this.buffer = Buffer.alloc(0)
    this.isOpen = false
    this.isOver = false
    this.isDeaf = false
    const { hostname, port, pathname } = new URL(url)
    const ca = fs.readFileSync(process.env.CA)
    const key = crypto.randomBytes(16).toString('base64')
    this.accept = crypto.createHash('sha1').update(key + GUID).digest('base64')
    this.socket = tls.connect({ host: '127.0.0.1', port, servername: hostname, ca }, () => {
      const lines = [
        `GET ${pathname} HTTP/1.1`,
        `Host: ${hostname}:${port}`,
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Key: ${key}`,
        'Sec-WebSocket-Version: 13',
        'Referer: https://servicewechat.com/wx0123456789abcdef/0/page-frame.html',
        ...Object.entries(header).map(([name, value]) => `${name}: ${value}`),
        ...(protocols.length ? [`Sec-WebSocket-Protocol: ${protocols.join(', ')}`] : []),
      ]
      this.socket.write(lines.join('\r\n') + '\r\n\r\n')
    })
    this.socket.on('data', (data) => this.take(data))
    this.socket.on('error', (error) => {
      if (!this.isOpen) fail({ errMsg: `connectSocket:fail ${error.code}` })
    })
    this.socket.on('close', () => this.end(1006, ''))
  }

  onOpen(handler) { this.handlers.open = handler }
  onMessage(handler) { this.handlers.message = handler }
  onClose(handler) { this.handlers.close = handler }
  onError(handler) { this.handlers.error = handler }

  emit(name, event) {
    // A frozen socket tells nobody anything, as in the background.
    if (!this.isDeaf && this.handlers[name]) this.handlers[name](event)
  }

  send({ data }) { this.frame(1, Buffer.from(data)) }

  close({ code, reason }) {
    const body = Buffer.alloc(2)
    body.writeUInt16BE(code)
    this.frame(8, Buffer.concat([body, Buffer.from(reason)]))
    this.socket.end()
  }

  frame(opcode, payload) {
    if (this.socket.destroyed || payload.length > 125) return
    const mask = crypto.randomBytes(4)
    const body = payload.map((byte, index) => byte ^ mask[index % 4])
    const head = Buffer.from([0x80 | opcode, 0x80 | payload.length])
    this.socket.write(Buffer.concat([head, mask, body]))
  }

  take(data) {
    this.buffer = Buffer.concat([this.buffer, data])
    if (!this.isOpen) {
      const end = this.buffer.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = this.buffer.subarray(0, end).toString()
      this.buffer = this.buffer.subarray(end + 4)
      if (!head.startsWith('HTTP/1.1 101') || !head.includes(this.accept)) {
        this.emit('error', { errMsg: head.split('\r\n')[0] })
        return
      }
      this.isOpen = true
      this.emit('open', {})
    }
    while (this.buffer.length >= 2 && this.buffer.length >= 2 + this.buffer[1]) {
      const [first, size] = this.buffer
      const payload = this.buffer.subarray(2, 2 + size)
      this.buffer = this.buffer.subarray(2 + size)
      if ((first & 15) === 1) this.emit('message', { data: payload.toString() })
      else if ((first & 15) === 8) this.end(payload.readUInt16BE(0), payload.subarray(2).toString())
    }
  }

  end(code, reason) {
    if (this.isOver) return
    this.isOver = true
    this.socket.destroy()
    this.emit('close', { code, reason })
  }
}

/* The phone: sockets, and handlers of the program's events. */
class Phone {
  constructor() {
    this.tasks = []
    this.handlers = { AppShow: new Set(), AppHide: new Set(), NetworkStatusChange: new Set() }
    for (const name of Object.keys(this.handlers)) {
      this[`on${name}`] = (handler) => this.handlers[name].add(handler)
      this[`off${name}`] = (handler) => this.handlers[name].delete(handler)
    }
  }

  connectSocket(options) {
    const task = new SocketTask(options)
    this.tasks.push(task)
    return task
  }

  tell(name, event = {}) { this.handlers[name].forEach((handler) => handler(event)) }

  /* Everything that this phone still holds. */
  get openSockets() { return this.tasks.filter((task) => !task.socket.destroyed).length }
}

module.exports = { Phone }
